"""Each published card's adapter on a double of its checkpoint, with the card's own parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny_published
from earwitness import registry
from earwitness.errors import ModelError
from earwitness.judges import ast, passt
from earwitness.models import audioldm2, encodec, musicgen, oobleck, speech2text, wavtokenizer, whisper
from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.tracks.concept import Kind

pytestmark = pytest.mark.filterwarnings("ignore")


def parameters(card: str, source: str = "") -> dict[str, Any]:
    """What a shipped card gives its adapter; its source is the one that the double stands for."""
    model = registry.task(card).card.model
    assert not source or model.source == source
    return model.parameters


def test_musicgen_musiccaps(tmp_path: Path) -> None:
    folder = tiny_published.musicgen(tmp_path)
    given = parameters("musicgen_musiccaps", "facebook/musicgen-small")
    model = musicgen.from_pretrained(str(folder), **given)
    assert (model.sample_rate, model.frame_rate, model.codebooks, model.frames) == (32_000, 50.0, 4, 250)
    assert (model.guidance, model.temperature, model.top_k) == (3.0, 1.0, 250)
    text = model.encode(["a bell rings loudly", "rain"])
    codes = torch.zeros(2, 4, 3, dtype=torch.long)
    logits = model.logits(codes, text)
    assert logits.shape == (2, 4, 3, 256)
    assert logits.isfinite().all()
    assert model.audio(codes).shape == (2, 3 * 640)
    # The folder's own length is 30 s of steps, the delay of the last codebook among them.
    assert musicgen.from_pretrained(str(folder)).frames == 1500 - 3


def test_audioldm2_slakh(tmp_path: Path) -> None:
    folder = tiny_published.audioldm2(tmp_path)
    model = audioldm2.from_pretrained(str(folder), **parameters("audioldm2_slakh", "cvssp/audioldm2"))
    assert (model.sample_rate, model.frame_rate, model.bins, model.frames) == (16_000, 100.0, 64, 1024)
    assert (model.steps, model.guidance, model.strength) == (50, 3.5, 0.6)
    text = model.encode(["a recording of bass and drums", "piano"])
    assert text.other is not None
    assert text.other.shape == (2, 8, 8)
    noisy = torch.randn(2, 8, 4, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        clean = model.denoised(noisy, 3, text)
        mel = model.decode(clean)
        short = AudioLDM2Model(model.pipeline, steps=1, guidance=3.5, strength=1.0, seconds=0.16)
        audio = short.generate(text, [0, 1]).audio
    assert clean.shape == noisy.shape
    assert mel.shape == (2, 64, 16)
    # This vocoder makes 32 samples beyond its spectrogram, which the pipeline cuts.
    assert audio.shape == (2, 16 * 160)
    assert audio.isfinite().all()


@pytest.mark.parametrize(
    ("card", "source"),
    [
        ("whisper_librispeech", "openai/whisper-small.en"),
        ("whisper_tiny_librispeech", "openai/whisper-tiny.en"),
    ],
)
def test_whisper_librispeech(tmp_path: Path, card: str, source: str) -> None:
    folder = tiny_published.whisper(tmp_path)
    model = whisper.from_pretrained(str(folder), **parameters(card, source))
    assert (model.sample_rate, model.frame_rate, model.bins, model.longest) == (16_000, 100.0, 80, 30.0)
    names = model._tokens._tokenizer.convert_ids_to_tokens
    assert names(list(model.prompt)) == ["<|startoftranscript|>", "<|notimestamps|>"]
    transcribed(model)


def test_s2t_mustc(tmp_path: Path) -> None:
    folder = tiny_published.speech2text(tmp_path)
    given = parameters("s2t_mustc", "facebook/s2t-small-mustc-en-de-st")
    model = speech2text.from_pretrained(str(folder), **given)
    assert (model.sample_rate, model.frame_rate, model.bins, model.longest) == (16_000, 100.0, 80, 60.0)
    assert model.prompt == (2,)
    transcribed(model)


def transcribed(model: Any) -> None:
    """Sounds go in, transcripts with finite logits come out, one a sound."""
    sound = np.random.default_rng(0).normal(size=8000).astype(np.float32) * 0.1
    features = torch.tensor(model.features(sound))[None]
    found = model.transcribe(features.expand(2, -1, -1), beams=2)
    assert len(found) == 2
    assert np.array_equal(found[0], found[1])
    assert isinstance(model.text(found[0].tolist()), str)
    logits = model.logits(features, torch.tensor([[4, 5, 6]]))
    assert logits.shape == (1, 3, model.module.config.vocab_size)
    assert logits.isfinite().all()


def test_encodec_notes(tmp_path: Path) -> None:
    folder = tiny_published.encodec(tmp_path)
    model = encodec.from_pretrained(str(folder), **parameters("encodec_notes", "facebook/encodec_24khz"))
    assert (model.sample_rate, model.frame_rate, model.kind) == (24_000, 75.0, Kind.QUANTISED)
    there_and_back(model, width=8, samples=320)


def test_oobleck_notes(tmp_path: Path) -> None:
    folder = tiny_published.oobleck(tmp_path)
    model = oobleck.from_pretrained(str(folder), **parameters("oobleck_notes", "stabilityai/stable-audio-open-1.0"))
    assert (model.sample_rate, model.kind) == (44_100, Kind.CONTINUOUS)
    there_and_back(model, width=4, samples=2048)


def test_wavtokenizer_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_published.wavtokenizer(tmp_path / "wav", monkeypatch)
    model = wavtokenizer.from_pretrained(str(folder), **parameters("wavtokenizer_notes"))
    assert (model.sample_rate, model.frame_rate, model.kind) == (24_000, 75.0, Kind.CONTINUOUS)
    there_and_back(model, width=tiny_published.WAV_WIDTH, samples=320)
    # As many bandwidths as the published configuration has.
    last, beyond = ({"kind": "quantised", "bandwidth_id": number} for number in (3, 4))
    there_and_back(wavtokenizer.from_pretrained(str(folder), **last), width=tiny_published.WAV_WIDTH, samples=320)
    with pytest.raises(ModelError, match="cannot encode and decode silence"):
        wavtokenizer.from_pretrained(str(folder), **beyond)


def there_and_back(model: Any, width: int, samples: int) -> None:
    """Audio of two frames becomes latents and audio again."""
    audio = torch.randn(1, 2 * samples, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.no_grad():
        latents = model.encode(audio, model.kind)
        back = model.decode(latents)
    assert latents.shape == (1, 2, width)
    assert back.shape == audio.shape
    assert back.isfinite().all()


def test_the_judge_of_musicgen_musiccaps(tmp_path: Path) -> None:
    judges = registry.task("musicgen_musiccaps").card.judges
    assert [judge.source for judge in judges] == ["MIT/ast-finetuned-audioset-10-10-0.4593", passt.PUBLISHED[0]]
    judge = ast.load(tiny_published.ast(tmp_path))
    assert judge.labels[0] == "Speech"
    assert judge.sample_rate == 16_000
    probabilities = judge.probabilities(torch.randn(2, 16_000) * 0.1)
    assert probabilities.shape == (2, 3)
    assert torch.allclose(probabilities.sum(-1), torch.ones(2))


WITH_CONFIG = sorted(path.stem for path in tiny_published.CONFIGS.glob("*.json") if path.stem != "wavtokenizer")


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_every_published_configuration_passes_the_bounds(name: str, tmp_path: Path) -> None:
    from earwitness.models.pretrained_files import require_modest

    for path, content in tiny_published.published(name).items():
        if Path(path).name == "config.json":
            require_modest(name, content)
