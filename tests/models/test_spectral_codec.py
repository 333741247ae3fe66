"""The spectral codec: shapes, determinism, and the way through transformers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from earwitness.models.spectral_codec import SpectralCodec, SpectralCodecConfig, griffin_lim, nearest_codes
from earwitness.models.storage import save_half


@pytest.fixture(scope="module")
def codec() -> SpectralCodec:
    torch.manual_seed(0)
    return SpectralCodec(SpectralCodecConfig(width=24, codebook_dim=8, blocks=1)).eval()


def _tone(hertz: float, samples: int = 16_000) -> torch.Tensor:
    return 0.3 * torch.sin(2 * math.pi * hertz * torch.arange(samples) / 16_000)[None]


@torch.inference_mode()
def test_two_seconds_become_fifty_frames_of_four_codes_and_two_seconds_again(codec: SpectralCodec) -> None:
    audio = torch.randn(3, 32_000) * 0.1
    encoded = codec.encode(audio[:, None]).audio_codes
    assert encoded is not None
    assert encoded.shape == (1, 3, 4, 50)
    decoded = codec.decode(encoded, [None] * 3).audio_values
    assert decoded is not None
    assert decoded.shape == (3, 1, 32_000)
    assert codec.latents(audio).shape == (3, 50, 8)
    assert codec.decode_magnitude(encoded[0]).shape == (3, 200, 257)
    assert codec.config.frame_rate == 25


@torch.inference_mode()
def test_audio_of_codes_is_the_same_whatever_stands_beside_them_and_whatever_was_drawn(codec: SpectralCodec) -> None:
    codes = torch.randint(0, 256, (5, 4, 50))
    together = codec.audio(codes)
    torch.rand(7)
    assert torch.equal(codec.audio(codes), together)
    torch.testing.assert_close(codec.audio(codes[2:3]), together[2:3], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_griffin_lim_brings_a_tone_back_at_its_pitch_and_level(codec: SpectralCodec) -> None:
    tone = _tone(1000.0)
    back = codec.waveform(codec.log_magnitude(tone))[:, 2000:-2000]
    peak = torch.fft.rfft(back).abs().argmax().item() * 16_000 / back.shape[1]
    assert peak == pytest.approx(1000, abs=5)
    ratio = back.square().mean() / tone[:, 2000:-2000].square().mean()
    assert 0.7 < ratio.item() < 1.3


@torch.inference_mode()
def test_more_iterations_come_nearer_to_the_magnitude(codec: SpectralCodec) -> None:
    target = codec.log_magnitude(torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)) * 0.1)
    magnitude = torch.cat([target, target[:, -1:]], 1).exp()
    errors = [(codec.log_magnitude(griffin_lim(magnitude, 160, n)) - target).abs().mean().item() for n in (0, 4, 16)]
    assert errors[0] > errors[1] > errors[2]


@torch.inference_mode()
def test_what_lies_at_the_floor_is_silent(codec: SpectralCodec) -> None:
    assert not codec.waveform(codec.log_magnitude(torch.zeros(1, 16_000))).any()


def test_the_nearest_code_is_the_one_at_the_smallest_distance() -> None:
    codebook = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    assert nearest_codes(torch.tensor([[0.4, 0.1], [0.6, 0.0], [0.0, 2.0]]), codebook).tolist() == [0, 1, 2]


def test_each_codebook_codes_what_the_ones_before_left_over(codec: SpectralCodec) -> None:
    latents = torch.randn(2, 10, 8)
    codes = codec.quantise(latents)
    first = codec.quantiser.codebooks[0][codes[:, 0]]
    assert torch.equal(codes[:, 1], nearest_codes(latents - first, codec.quantiser.codebooks[1]))
    parts = [codec.quantiser.codebooks[k][codes[:, k]] for k in range(4)]
    torch.testing.assert_close(codec.quantiser.decode(codes), sum(parts))


@torch.inference_mode()
def test_a_saved_codec_is_read_back_by_auto_model_in_single_precision(codec: SpectralCodec, tmp_path: Path) -> None:
    save_half(codec, tmp_path)
    back = AutoModel.from_pretrained(tmp_path)
    assert isinstance(back, SpectralCodec)
    assert back.dtype == torch.float32
    latents, audio = codec.latents(_tone(500.0)), _tone(500.0)
    torch.testing.assert_close(back.latents(audio), latents, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(back.quantiser.codebooks, codec.quantiser.codebooks, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_samples_under_a_padding_mask_of_zero_are_silenced(codec: SpectralCodec) -> None:
    audio, mask = torch.randn(1, 1, 16_000), torch.ones(1, 1, 16_000)
    mask[..., 8_000:] = 0
    masked, silenced = codec.encode(audio, mask).audio_codes, codec.encode(audio * mask).audio_codes
    assert masked is not None
    assert silenced is not None
    assert torch.equal(masked, silenced)
