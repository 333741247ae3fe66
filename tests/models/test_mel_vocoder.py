"""Log-mel spectrograms, and Griffin-Lim behind a vocoder's interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from earwitness.models.mel_vocoder import FLOOR, GriffinLimConfig, GriffinLimVocoder, MelShape, log_mel, mel_filters
from earwitness.worlds.stems import clip, render

SHAPE = MelShape(sample_rate=16_000, n_fft=2048, hop=512, bins=64)


def _audio(count: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([render(clip("test", index)).audio for index in range(count)]))


def test_a_tone_lights_up_the_bin_around_its_frequency() -> None:
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(8192) / 16_000)
    mel = log_mel(tone[None], SHAPE)
    assert mel.shape == (1, 16, 64)
    centres = mel_filters(SHAPE).argmax(0) * 16_000 / 2048
    peaks = centres[mel[0, 2:-2].argmax(1)]
    assert ((peaks - 1000).abs() < 60).all()


def test_silence_is_at_the_floor() -> None:
    assert torch.allclose(
        log_mel(torch.zeros(1, 4096), SHAPE), torch.tensor(np.log(FLOOR), dtype=torch.float32), atol=1
    )


def test_frames_are_the_samples_divided_by_the_hop() -> None:
    for frames in (4, 9):
        assert log_mel(torch.zeros(2, frames * 512), SHAPE).shape == (2, frames, 64)


def test_audio_made_of_a_spectrogram_has_that_spectrogram() -> None:
    audio = _audio(4)
    mel = log_mel(audio, SHAPE)
    vocoder = GriffinLimVocoder(GriffinLimConfig())
    heard = vocoder(mel)
    assert heard.shape == audio.shape
    loud = mel > mel.amax((1, 2), keepdim=True) - 5
    error = (log_mel(heard, SHAPE) - mel).abs()[loud]
    assert float(error.mean()) < 0.25
    # Against a spectrogram that is shifted by one frame, the same error is larger: frames stand where they were.
    shifted = (log_mel(heard, SHAPE).roll(1, 1) - mel).abs()[loud]
    assert float(shifted.mean()) > 2 * float(error.mean())
    assert torch.equal(vocoder(mel[0]), vocoder(mel[:1])[0])


def test_the_vocoder_comes_back_from_its_folder(tmp_path: Path) -> None:
    vocoder = GriffinLimVocoder(GriffinLimConfig(iterations=3))
    vocoder.save_pretrained(tmp_path)
    again = GriffinLimVocoder.from_pretrained(tmp_path)
    mel = log_mel(_audio(1), SHAPE)
    assert torch.equal(again(mel), vocoder(mel))


def test_the_published_vocoders_configuration_gives_its_spectrogram() -> None:
    hifigan = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(model_in_dim=64, sampling_rate=16_000, upsample_rates=[5, 4, 2, 2, 2])
    )
    assert MelShape.of(hifigan) == MelShape(sample_rate=16_000, n_fft=1024, hop=160, bins=64)
    assert MelShape.of(GriffinLimVocoder(GriffinLimConfig())) == SHAPE
    assert SHAPE.frame_rate == 31.25
