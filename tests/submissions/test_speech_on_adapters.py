"""Every submission of the speech track on models of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from earwitness.explaining import memory
from earwitness.models import speech2text, whisper
from earwitness.tracks.speech import SpeechItem, SpeechMap, SpeechModel
from speech_baselines import OF_SOUND, ONE_STRETCH, SPEECH_IDS, cut, quick_speech
from tiny_speech import tiny_speech2text, tiny_whisper

if TYPE_CHECKING:
    from pathlib import Path


def an_item(model: SpeechModel, seed: int) -> SpeechItem:
    """Half a second of noise that comes and goes, with five tokens that the model can say."""
    rng = np.random.default_rng(seed)
    envelope = np.square(np.sin(np.linspace(0, 9, model.sample_rate // 2)))
    features = model.features((0.3 * envelope * rng.standard_normal(len(envelope))).clip(-1, 1).astype(np.float32))
    tokens = model.transcribe(torch.as_tensor(features)[None])[0][:5]
    pieces = tuple(model.pieces(tokens.tolist()))
    return SpeechItem(
        "noise", seed, model.text(tokens.tolist()), pieces, features, tokens, model.words(tokens.tolist())
    )


@pytest.fixture(scope="module", params=["speech2text", "whisper"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeechModel, SpeechItem]:
    torch.set_num_threads(1)
    folder: Path = tmp_path_factory.mktemp(request.param)
    model: SpeechModel = (
        speech2text.from_pretrained(str(tiny_speech2text(folder)))
        if request.param == "speech2text"
        else whisper.from_pretrained(str(tiny_whisper(folder)))
    )
    item = an_item(model, 3)
    assert len(item.tokens) >= 2
    return model, item


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_an_adapters_model_is_explained(name: str, pair: tuple[SpeechModel, SpeechItem]) -> None:
    model, item = pair
    found = quick_speech(name).explain(model, item)
    found.check(item)
    assert found.prefix[-1].any() == (name not in OF_SOUND)
    if name not in ONE_STRETCH:
        assert (np.ptp(found.spectrogram, axis=(1, 2)) > 0.5).all()


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_an_adapters_transcript_of_one_token_is_explained(name: str, pair: tuple[SpeechModel, SpeechItem]) -> None:
    model, item = pair
    quick_speech(name).explain(model, cut(item, tokens=1)).check(cut(item, tokens=1))


WEIGHED = ("integrated_gradients", "occlusion", "word_lime", "rise", "spes")
"""Submissions that ask about several spectrograms a pass."""


@pytest.mark.parametrize("name", WEIGHED)
def test_a_pass_has_as_many_rows_as_fit_into_memory_and_maps_stay(
    name: str, pair: tuple[SpeechModel, SpeechItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, item = pair
    free, at_once = traced(name, model, item, monkeypatch)
    assert max(at_once) > 8
    bound = memory.peak_bytes(lambda: model.logits(torch.as_tensor(item.features)[None], item_tokens(item)))
    # A row with all that is made of it weighs a few times what the bare pass does; with its gradients, many times.
    monkeypatch.setattr(memory, "ROWS_BYTES", 40 * bound if name == "integrated_gradients" else 8 * bound)
    bounded, fewer = traced(name, model, item, monkeypatch)
    assert 1 < max(fewer) < max(at_once)
    if name == "integrated_gradients":  # the others' masks weigh as much as passes of so small a model
        assert memory.peak_bytes(lambda: quick_speech(name).explain(model, item)) < 2 * memory.ROWS_BYTES
    np.testing.assert_allclose(bounded.spectrogram, free.spectrogram, atol=1e-3)
    np.testing.assert_allclose(bounded.prefix, free.prefix, atol=1e-3)


def item_tokens(item: SpeechItem) -> torch.Tensor:
    return torch.as_tensor(item.tokens)[None]


def traced(
    name: str, model: SpeechModel, item: SpeechItem, monkeypatch: pytest.MonkeyPatch
) -> tuple[SpeechMap, list[int]]:
    """The map of an item, and the rows of spectrograms of each pass."""
    rows, usual = [], model.logits

    def logits(features: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        rows.append(len(features))
        return usual(features, *given)

    with monkeypatch.context() as patched:
        patched.setattr(model, "logits", logits)
        return quick_speech(name).explain(model, item), rows
