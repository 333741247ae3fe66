"""Every submission of the speech track on models of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from earwitness.models import speech2text, whisper
from earwitness.tracks.speech import SpeechItem, SpeechModel
from speech_baselines import SPEECH_IDS, cut, quick_speech
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
    assert found.prefix[-1].any()
    if name != "word_lime":  # which says nothing of a transcript of one word
        assert (np.ptp(found.spectrogram, axis=(1, 2)) > 0.5).all()


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_an_adapters_transcript_of_one_token_is_explained(name: str, pair: tuple[SpeechModel, SpeechItem]) -> None:
    model, item = pair
    quick_speech(name).explain(model, cut(item, tokens=1)).check(cut(item, tokens=1))
