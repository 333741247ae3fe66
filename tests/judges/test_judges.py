"""Both judges: shapes, ranges, features as transformers computes them, folders read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import ASTForAudioClassification, AutoModelForAudioClassification

from earwitness.errors import ModelError
from earwitness.judges import Judge, ast, cnn
from earwitness.models.storage import save_half
from earwitness.worlds.sounds import LABELS

AUDIO = torch.randn(3, 32_000, generator=torch.Generator().manual_seed(0)) * 0.05


@pytest.fixture(scope="module", params=["ast", "cnn"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp(request.param)
    if request.param == "ast":
        ast.small_ast(LABELS).save_pretrained(path)
        return ast, path
    save_half(cnn.small_cnn(LABELS), path)
    return cnn, path


def test_a_judge_read_from_a_folder_names_its_classes_and_gives_probabilities(folder: tuple[Any, Path]) -> None:
    module, path = folder
    judge: Judge = module.load(path)
    assert judge.labels == LABELS
    assert judge.sample_rate == 16_000
    torch.testing.assert_close(judge.probabilities(AUDIO).sum(1), torch.ones(3))
    torch.testing.assert_close(judge.presence(AUDIO), judge.logits(AUDIO).sigmoid())
    torch.testing.assert_close(judge.logits(AUDIO[1:2]), judge.logits(AUDIO)[1:2], rtol=1e-3, atol=1e-4)


def test_a_folder_without_a_judge_is_refused_in_one_line(folder: tuple[Any, Path], tmp_path: Path) -> None:
    module, _ = folder
    with pytest.raises(ModelError, match=r"no such folder: ") as error:
        module.load(tmp_path / "nothing")
    assert "\n" not in str(error.value)


def test_batched_features_are_those_of_the_feature_extractor() -> None:
    judge = ast.small_ast(LABELS)
    clips = [clip.numpy() for clip in AUDIO]
    expected = judge.extractor(clips, sampling_rate=16_000, return_tensors="pt").input_values
    torch.testing.assert_close(judge.features(AUDIO), expected, rtol=0, atol=1e-3)


def test_transformers_reads_both_judges_by_itself(tmp_path: Path) -> None:
    judge = ast.small_ast(LABELS).eval()
    judge.save_pretrained(tmp_path / "ast")
    plain = ASTForAudioClassification.from_pretrained(tmp_path / "ast")
    assert plain.dtype == torch.float32
    with torch.inference_mode():
        logits = plain(judge.features(AUDIO)).logits
    torch.testing.assert_close(logits, judge.logits(AUDIO), rtol=0, atol=0.02)
    save_half(cnn.small_cnn(LABELS), tmp_path / "cnn")
    assert isinstance(AutoModelForAudioClassification.from_pretrained(tmp_path / "cnn"), cnn.CNNJudge)


def test_the_judges_are_small_and_of_different_size() -> None:
    sizes = [sum(p.numel() for p in judge.parameters()) for judge in (ast.small_ast(LABELS), cnn.small_cnn(LABELS))]
    assert 200_000 < sizes[0] < 350_000
    assert 60_000 < sizes[1] < 150_000


def test_logits_are_differentiable_in_the_audio() -> None:
    audio = AUDIO.clone().requires_grad_()
    ast.small_ast(LABELS)(audio).sum().backward()
    assert audio.grad is not None
    assert audio.grad.abs().sum() > 0
