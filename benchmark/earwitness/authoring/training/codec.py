"""Training of the spectral codec: reconstruction of log magnitudes, codebooks by moving averages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earwitness.authoring.training.data import Clips, codec_clips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.workshop import Workshop
from earwitness.models.spectral_codec import SpectralCodec, SpectralCodecConfig, nearest_codes

CLIPS = 9000
STEPS = 4000
BATCH = 32
TONES = 0.25
"""Share of the crops that a tone is laid over: thin sounds under noise are what a codec loses first."""
WITHOUT_QUANTISER = 150
"""Steps before the quantiser is put in: latents that do not move yet would collapse the codebooks."""
DECAY = 0.98
DEAD = 0.1
"""A code that is used less often than this a batch is placed anew."""
COMMITMENT = 0.1
LOUD_WEIGHT = 3.0
"""Weight of a cell's error for each 3 nats that it lies above the floor; a silent cell weighs one."""


class CodecTraining(nn.Module):
    """A codec with the moving averages of its codebooks (van den Oord et al., arXiv 1711.00937, appendix A)."""

    counts: Tensor
    """[K, V] uses a batch."""
    sums: Tensor
    """[K, V, D] sums of the vectors that each code stood for."""

    def __init__(self, config: SpectralCodecConfig) -> None:
        super().__init__()
        self.codec = SpectralCodec(config)
        shape = (config.num_quantizers, config.codebook_size, config.codebook_dim)
        self.register_buffer("counts", torch.zeros(shape[:2]))
        self.register_buffer("sums", torch.zeros(shape))

    def loss(self, audio: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Scalar loss of audio [B, S]: L1 and L2 of log magnitudes, and the commitment to the codes."""
        target = self.codec.log_magnitude(audio) / 3
        latents = self.codec.encoder(target)
        commitment = torch.zeros(())
        if step >= WITHOUT_QUANTISER:
            quantised = self._quantise(latents.detach(), step == WITHOUT_QUANTISER, generator)
            commitment = (latents - quantised).square().mean()
            latents = latents + (quantised - latents).detach()
        error = self.codec.decoder(latents) - target
        # Most cells are silent: without weights a short thin sound is cheapest left out.
        weights = 1 + LOUD_WEIGHT * (target - target.min())
        total: Tensor = (weights * (error.abs() + error.square())).mean() + COMMITMENT * commitment
        return total

    @torch.no_grad()
    def _quantise(self, latents: Tensor, first: bool, generator: torch.Generator) -> Tensor:
        """Quantised latents [B, F, D]; moves the codebooks."""
        residual = latents.reshape(-1, latents.shape[-1])
        total = torch.zeros_like(residual)
        for k, codebook in enumerate(self.codec.quantiser.codebooks):
            if first:
                self._place(k, torch.arange(len(codebook)), residual, generator)
            nearest = nearest_codes(residual, codebook)
            self._average(k, nearest, residual)
            dead = (self.counts[k] < DEAD).nonzero().squeeze(1)
            self._place(k, dead, residual, generator)
            part = codebook[nearest]
            residual, total = residual - part, total + part
        return total.reshape(latents.shape)

    def _average(self, k: int, nearest: Tensor, vectors: Tensor) -> None:
        counts = torch.bincount(nearest, minlength=self.counts.shape[1]).to(vectors)
        sums = torch.zeros_like(self.sums[k]).index_add_(0, nearest, vectors)
        self.counts[k].lerp_(counts, 1 - DECAY)
        self.sums[k].lerp_(sums, 1 - DECAY)
        self.codec.quantiser.codebooks[k] = self.sums[k] / self.counts[k].clamp_min(1e-5)[:, None]

    def _place(self, k: int, codes: Tensor, vectors: Tensor, generator: torch.Generator) -> None:
        """Put codes on vectors of the batch, drawn at random."""
        chosen = torch.randint(len(vectors), (len(codes),), generator=generator)
        self.codec.quantiser.codebooks[k, codes] = vectors[chosen]
        self.counts[k, codes] = 1.0
        self.sums[k, codes] = vectors[chosen]


def fit_codec(work: Workshop) -> tuple[SpectralCodec, float]:
    """The codec that micro tasks ship, trained on clips of the soundscape, and the seconds it took."""
    torch.set_num_threads(1)
    clips = codec_clips(CLIPS, work.clips)
    return train_codec(clips, work.seed, TrainingCheckpoint(work.checkpoint("codec")), STEPS)


def train_codec(
    clips: Clips[Any], seed: int, checkpoint: TrainingCheckpoint, steps: int
) -> tuple[SpectralCodec, float]:
    """A trained codec and the seconds it took."""
    torch.manual_seed(seed)
    training = CodecTraining(SpectralCodecConfig())

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        return training.loss(with_tones(crops(clips, rng, BATCH), rng), step, generator)

    seconds = fit(training, loss, TrainingPlan("codec", steps, 1.5e-3, seed), checkpoint)
    return training.codec, seconds


def crops(clips: Clips[Any], rng: np.random.Generator, size: int, samples: int = 16_000) -> Tensor:
    """Random crops [size, samples] of random clips."""
    chosen = rng.integers(0, len(clips.audio), size)
    starts = rng.integers(0, clips.audio.shape[1] - samples + 1, size)
    pieces = [clips.audio[i, start : start + samples] for i, start in zip(chosen, starts, strict=True)]
    return torch.from_numpy(np.stack(pieces).astype(np.float32))


def with_tones(audio: Tensor, rng: np.random.Generator, rate: int = 16_000) -> Tensor:
    """Crops [B, S], a share of them with a pure tone of 50 ms to 1 s, 200 Hz to 7 kHz, -50 to -20 dB re full scale."""
    size, samples = audio.shape
    chosen = rng.random(size) < TONES
    frequency = np.exp(rng.uniform(np.log(200), np.log(7000), (size, 1)))
    amplitude = 10 ** (rng.uniform(-50, -20, (size, 1)) / 20)
    length = rng.integers(rate // 20, min(rate, samples), (size, 1))
    begin = (rng.random((size, 1)) * (samples - length)).astype(np.int64)
    now = np.arange(samples)
    sounding = (now >= begin) & (now < begin + length) & chosen[:, None]
    tones = amplitude * np.sin(2 * np.pi * (frequency * now / rate + rng.random((size, 1)))) * sounding
    return audio + torch.from_numpy(tones.astype(np.float32))
