"""Whisper of CTranslate2, converted: the weights, settings and transcripts are those of the model it was made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, WhisperForConditionalGeneration

from ctranslate2_writer import ALIASES, binary, variables_of, write
from earwitness.errors import EarwitnessError, ModelError
from earwitness.models import whisper, whisper_conversion
from earwitness.models.ctranslate2_files import read_variables
from earwitness.models.whisper_conversion import convert, main
from tiny_speech import tiny_whisper

SOUND = 0.1 * np.random.default_rng(0).normal(size=12_000).astype(np.float32)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("own"), multilingual=False)


@pytest.fixture(scope="module")
def module(own: Path) -> Any:
    return WhisperForConditionalGeneration.from_pretrained(own).requires_grad_(False)


@pytest.fixture(scope="module")
def tokenizer(own: Path) -> Any:
    return AutoTokenizer.from_pretrained(own)


@pytest.fixture
def source(tmp_path: Path, module: Any, tokenizer: Any) -> Path:
    return write(tmp_path / "source", module, tokenizer)


def transcripts(folder: Path) -> list[int]:
    model = whisper.from_pretrained(str(folder), max_tokens=8)
    (tokens,) = model.transcribe(torch.from_numpy(model.features(SOUND)[None]))
    return list(map(int, tokens))


def test_weights_come_back_to_the_last_bit_and_transcripts_are_the_same(
    own: Path, source: Path, tmp_path: Path
) -> None:
    folder = convert([str(source)], str(tmp_path / "made"))
    mine, theirs = load_file(folder / "model.safetensors"), load_file(own / "model.safetensors")
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert transcripts(folder) == transcripts(own) != []


def test_half_precision_is_written_in_float32(module: Any, tokenizer: Any, tmp_path: Path) -> None:
    half = write(tmp_path / "half", module, tokenizer, "float16")
    mine = load_file(convert([str(half)], str(tmp_path / "made")) / "model.safetensors")
    for name, tensor in module.state_dict().items():
        if name != "proj_out.weight":
            assert mine[name].dtype == torch.float32
            assert torch.equal(mine[name], tensor.half().float())


def test_parts_of_the_weights_over_two_folders_are_put_together(source: Path, tmp_path: Path) -> None:
    whole = (source / "model.bin").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (source / "model.bin").unlink()
    # The first part lies in the folder that is named last.
    (other / "model.bin.part1").write_bytes(whole[:999])
    (source / "model.bin.part2").write_bytes(whole[999:])
    assert transcripts(convert([str(source), str(other)], str(tmp_path / "made")))


@pytest.mark.parametrize("multilingual", [True, False])
def test_settings_are_those_of_the_published_checkpoints(
    source: Path, module: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multilingual: bool
) -> None:
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("endoftext", "en", "de", "transcribe")}
    if multilingual:
        # By the id of this token the published tokenizers are told apart.
        monkeypatch.setattr(whisper_conversion, "MULTILINGUAL_END", ids["endoftext"])
    folder = convert([str(source)], str(tmp_path / "made"))
    found, mine = module.generation_config, WhisperForConditionalGeneration.from_pretrained(folder)
    settings: Any = mine.generation_config
    for name in ("suppress_tokens", "begin_suppress_tokens", "no_timestamps_token_id", "prev_sot_token_id"):
        assert getattr(settings, name) == getattr(found, name)
    assert settings.alignment_heads == [[1, 0]]
    assert settings.is_multilingual == multilingual
    if multilingual:
        assert settings.lang_to_id == {"<|en|>": ids["en"], "<|de|>": ids["de"]}
        assert settings.task_to_id["transcribe"] == ids["transcribe"]
    assert set(AutoTokenizer.from_pretrained(folder).all_special_ids) == set(tokenizer.all_special_ids)
    opened = whisper.from_pretrained(str(folder))
    assert len(opened.prompt) == (4 if multilingual else 2)
    assert (opened.bins, opened.longest) == (16, 4.0)


def refusal(source: Path, tmp_path: Path) -> str:
    with pytest.raises(ModelError) as raised:
        convert([str(source)], str(tmp_path / "made"))
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("*made*"))
    return str(raised.value)


@pytest.mark.parametrize("kept", [2, 500, -1])
def test_half_a_download_is_named(source: Path, tmp_path: Path, kept: int) -> None:
    path = source / "model.bin"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{path} ends within" in refusal(source, tmp_path)


def test_bytes_behind_the_end_are_not_ignored(source: Path, tmp_path: Path) -> None:
    path = source / "model.bin"
    path.write_bytes(path.read_bytes() + b"<html>")
    assert "goes on for 6 bytes after its end; fetch it again" in refusal(source, tmp_path)


def planted(source: Path, module: Any, changes: dict[str, Any], **written: Any) -> None:
    """Write the weights anew with some variables changed; None takes one out."""
    variables = {**variables_of(module, "float32"), **changes}
    left = {name: array for name, array in variables.items() if array is not None}
    (source / "model.bin").write_bytes(binary(left, {**ALIASES}, **written))


BIASED = np.ones(48, np.float32)


@pytest.mark.parametrize(
    ("changes", "written", "says"),
    [
        ({}, {"name": "TransformerSpec"}, "is a TransformerSpec of CTranslate2, and no WhisperSpec"),
        ({}, {"version": 3}, "no model.bin of CTranslate2, or one of version 3: versions 4 to 6 are read"),
        ({"encoder/conv1/bias": None}, {}, "lacks encoder/conv1/bias"),
        ({"encoder/num_heads": None}, {}, "lacks encoder/num_heads"),
        ({"decoder/gate": np.ones(2, np.float32)}, {}, "1 variables that Whisper has not, decoder/gate first"),
        ({"decoder/embeddings/weight": np.ones((9, 16), np.int8)}, {}, "is quantised (int8 in decoder/embeddings"),
        ({"encoder/layer_norm/beta": np.ones(3, np.float32)}, {}, "model.encoder.layer_norm.bias of sizes [3], and"),
        ({"encoder/layer_1/self_attention/linear_0/bias": BIASED}, {}, "has a bias of keys in encoder/layer_1/self"),
    ],
)
def test_what_is_no_whisper_in_floats_is_refused_in_one_line(
    source: Path, module: Any, tmp_path: Path, changes: dict[str, Any], written: dict[str, Any], says: str
) -> None:
    planted(source, module, changes, **written)
    assert says in refusal(source, tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.bin", None, "holds no model.bin; name the folder"),
        ("config.json", None, "holds no config.json; put the one that belongs to the weights"),
        ("tokenizer.json", None, "holds no tokenizer.json; put the one that belongs to the weights"),
        ("config.json", "[1", "cannot read the configuration config.json of the model"),
        ("tokenizer.json", "{}", "cannot read the tokenizer of the model"),
        ("model.bin.part1", "", "holds model.bin twice"),
    ],
)
def test_a_file_that_is_missing_or_no_use_is_named(
    source: Path, tmp_path: Path, file: str, content: str | None, says: str
) -> None:
    if content is None:
        (source / file).unlink()
    else:
        (source / file).write_text(content, encoding="utf-8")
    assert says in refusal(source, tmp_path)


def test_a_tokenizer_of_another_model_is_refused(source: Path, module: Any, tmp_path: Path) -> None:
    planted(source, module, {"decoder/embeddings/weight": np.ones((9, 16), np.float32)})
    assert "among the 9 tokens of the weights; put the one that belongs" in refusal(source, tmp_path)


def test_an_alias_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(binary({}, {"one": "other"}))
    with pytest.raises(ModelError, match="one stands for other, which is not there; fetch it again"):
        read_variables([path])


def test_a_folder_that_is_there_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(EarwitnessError, match="is there already; name a folder that is not"):
        convert([str(source)], str(folder))
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_the_command_says_what_it_does_and_ends_in_one_line(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(source), str(tmp_path / "made")]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'made'}\n"
    assert "parameters to" in said.err
    shutil.rmtree(source)
    assert main([str(source), str(tmp_path / "again")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"earwitness: no such folder: {source}; name the folder that holds")
