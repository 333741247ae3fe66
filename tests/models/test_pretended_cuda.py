"""Teacher-forced passes of every adapter on a pretended `cuda:0`: whatever is left on the CPU raises.

Not seen this way: what a pass computes, searches and samplings that look at values, and backward passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode

import tiny_published
from earwitness import plugins
from earwitness.explaining.batches import in_passes
from earwitness.models import (
    audiogen,
    audioldm2,
    audioldm2_latents,
    encodec,
    mel_vocoder,
    musicgen,
    oobleck,
    spectral_codec,
    speech2text,
    stable_audio,
    wavtokenizer,
    whisper,
)
from earwitness.models.delayed_codes import DelayedCodes
from earwitness.models.encoder_decoder import EncoderDecoder
from earwitness.models.latent_frames import LatentFrames
from earwitness.models.stable_audio import StableAudioModel
from earwitness.tracks.band import Text
from earwitness.tracks.prompt import Encoded, Removal
from pretended_cuda import CARD, mode, put, switch_devices
from tiny_autoencoders import tiny_encodec, tiny_oobleck, tiny_spectral_codec
from tiny_band import tiny_audioldm2
from tiny_speech import tiny_speech2text, tiny_whisper
from tiny_stable_audio import tiny_stable_audio

pytestmark = pytest.mark.filterwarnings("ignore")
KEPT = (
    *(mel_vocoder.mel_filters, mel_vocoder._inverse),
    *(spectral_codec._window, spectral_codec._first_phase, spectral_codec._overlap),
)
"""Tensors that are made once a process: those of one test have no values, and are no use to another."""
PASSED = {
    *("musicgen", "audiogen", "whisper", "speech2text", "audioldm2", "stable_audio"),
    *("encodec", "oobleck", "wavtokenizer", "audioldm2_latents"),
}
"""Adapters that a test below is about."""


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    for each in KEPT:
        each.cache_clear()
    yield
    for each in KEPT:
        each.cache_clear()


@pytest.fixture
def card(tmp_path_factory: pytest.TempPathFactory) -> FakeTensorMode:
    problem = switch_devices(tmp_path_factory.getbasetemp())
    if problem:
        pytest.skip(problem)
    return mode()


@contextmanager
def pretended(card: FakeTensorMode) -> Iterator[None]:
    with card, torch.no_grad():
        yield


def there(tensor: Tensor) -> Tensor:
    assert tensor.device == CARD
    return tensor


def test_every_adapter_is_tested_here() -> None:
    own = {name for name in plugins.names("models") if plugins.module_of("models", name).startswith("earwitness.")}
    assert own == PASSED


def test_the_card_is_told_from_the_cpu(card: FakeTensorMode) -> None:
    layer = torch.nn.Linear(2, 2)
    with pretended(card):
        put(layer, card)
        there(layer(torch.ones(1, 2, device=CARD)))
        with pytest.raises(FakeTensorDeviceMismatchError):
            layer(torch.ones(1, 2))
        with pytest.raises(FakeTensorDeviceMismatchError):
            layer.weight * torch.ones(2, 2)


def prompt_passes(model: DelayedCodes, card: FakeTensorMode) -> None:
    with pretended(card):
        put(model.module, card)
        model.device = CARD
        text = model.encode(["a bell", "a bell rings loudly"])
        there(text.states)
        there(text.mask)
        codes = torch.zeros(2, model.codebooks, 3, dtype=torch.long, device=CARD)
        tokens = text.mask.shape[1]
        for removal in Removal:
            for shape in ((2, tokens), (2, 3, tokens)):
                mask = torch.ones(shape, device=CARD)
                there(model.logits(codes, text, mask, removal))
                there(model.hidden(codes[:1], Encoded(text.states[:1], text.mask[:1]), mask, removal))
        whole = model.teacher_forced(codes, text, attentions=True)
        there(model.guided(whole.logits, there(model.null_logits(codes))))
        there(whole.hidden)
        there(model.cross_attention(codes, text))
        there(model.audio(codes))


def test_musicgen(folder: Path, card: FakeTensorMode) -> None:
    prompt_passes(musicgen.from_pretrained(str(folder)), card)


def test_audiogen_through_audiocraft(audiogen_folder: Path, card: FakeTensorMode) -> None:
    prompt_passes(audiogen.from_pretrained(str(audiogen_folder)), card)


@pytest.fixture
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a tensor of counts is hangs on values."""
    monkeypatch.setattr(torch, "bincount", lambda values: torch.ones(len(values), device=values.device))


def speech_passes(model: EncoderDecoder, card: FakeTensorMode) -> None:
    with pretended(card):
        put(model.module, card)
        model.device = CARD
        features = torch.zeros(2, 40, model.bins, device=CARD)
        tokens = torch.ones(1, 5, dtype=torch.long, device=CARD)
        there(model.encode(features))
        # What is not on the card yet is taken there.
        there(model.encode(features.cpu()))
        there(model.logits(features, tokens))
        there(model.logits(features.cpu(), tokens.cpu()))
        there(model.logits(features[:1], tokens, torch.ones(3, 5, device=CARD)))
        there(model.logits(features[:1], tokens, torch.ones(3, 5)))
        attention = model.attention(features, tokens)
        for each in attention:
            there(each)


@pytest.mark.usefixtures("_counted")
def test_whisper(tmp_path: Path, card: FakeTensorMode) -> None:
    speech_passes(whisper.from_pretrained(str(tiny_whisper(tmp_path))), card)


@pytest.mark.usefixtures("_counted")
def test_speech2text(tmp_path: Path, card: FakeTensorMode) -> None:
    speech_passes(speech2text.from_pretrained(str(tiny_speech2text(tmp_path))), card)


def put_pipeline(model: Any, card: FakeTensorMode) -> None:
    """Put what a pipeline's loader moves on the card, and what the adapter itself moves once it is asked for.

    Neither the copy of a scheduler nor `Module.to` goes with tensors without values.
    """
    own = [model._vocoder] if isinstance(model, StableAudioModel) else []
    schedule = model._schedule
    with pretended(card):
        for part in [*model.pipeline.components.values(), *own]:
            if isinstance(part, torch.nn.Module):
                put(part, card)
        schedule.set_timesteps(model.steps, device=CARD)
    model.device = CARD


def test_audioldm2(tmp_path: Path, card: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    # The share of noise is looked up by the value of a time.
    monkeypatch.setattr(audioldm2.AudioLDM2Model, "_clean", lambda self, noisy, found, time: noisy - found)
    model = audioldm2.from_pretrained(str(tiny_audioldm2(tmp_path)), steps=4)
    put_pipeline(model, card)
    with pretended(card):
        audio = torch.zeros(2, 3000, device=CARD)
        latents = there(model.latents(there(model.mel(audio))))
        there(model.mel(audio.cpu()))
        there(model.decode(latents))
        noisy = there(model.noised(latents, [0, 1], 2))
        width = [each for each in model._config.cross_attention_dim[0] if each]
        text = Text(
            torch.zeros(1, 3, width[1], device=CARD), torch.ones(1, 3, dtype=torch.bool, device=CARD),
            torch.zeros(1, 3, width[0], device=CARD),
        )  # fmt: skip
        there(model.denoised(noisy, 2, text))


def test_stable_audio(tmp_path: Path, card: FakeTensorMode) -> None:
    model = stable_audio.from_pretrained(str(tiny_stable_audio(tmp_path)), steps=4)
    put_pipeline(model, card)
    with pretended(card):
        audio = torch.zeros(2, 3000, device=CARD)
        latents = there(model.latents(there(model.mel(audio))))
        there(model.mel(audio.cpu()))
        there(model.decode(latents))
        noisy = there(model.noised(latents, [0, 1], 2))
        text = model.encode(["piano", "bass and drums"])
        there(text.states)
        there(model.denoised(noisy, 2, text))


def concept_passes(model: LatentFrames, card: FakeTensorMode, *modules: torch.nn.Module) -> None:
    with pretended(card):
        for module in modules or (model.module,):
            put(module, card)
        model.device = CARD
        audio = torch.zeros(2, 3000)
        for kind in model.kinds:
            latents = there(model.encode(audio.to(CARD), kind))
            there(model.encode(audio, kind))
            there(model.decode(latents))
            there(model.decode(latents.cpu()))


def test_encodec(tmp_path: Path, card: FakeTensorMode) -> None:
    concept_passes(encodec.from_pretrained(str(tiny_encodec(tmp_path))), card)


def test_the_spectral_codec(tmp_path: Path, card: FakeTensorMode) -> None:
    concept_passes(encodec.from_pretrained(str(tiny_spectral_codec(tmp_path))), card)


def test_oobleck(tmp_path: Path, card: FakeTensorMode) -> None:
    concept_passes(oobleck.from_pretrained(str(tiny_oobleck(tmp_path))), card)


def test_wavtokenizer(tmp_path: Path, card: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_published.wavtokenizer(tmp_path, monkeypatch)
    model = wavtokenizer.from_pretrained(str(folder))
    with pretended(card):
        # Made on the device that the model is read for.
        model._bandwidth = model._bandwidth.to(CARD)
    concept_passes(model, card)


def test_latents_of_audioldm2(tmp_path: Path, card: FakeTensorMode) -> None:
    model = audioldm2_latents.from_pretrained(str(tiny_audioldm2(tmp_path)))
    put_pipeline(model.diffusion, card)
    concept_passes(model, card)


def test_passes_in_parts_stay_on_the_card(card: FakeTensorMode) -> None:
    with pretended(card):
        rows = torch.zeros(5, 2, device=CARD)
        there(torch.cat(list(in_passes(lambda part: rows[part] + 1, len(rows), 2))))
