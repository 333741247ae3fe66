"""Log-mel spectrograms as HiFi-GAN and AudioLDM take them, and Griffin-Lim behind the interface of such a vocoder."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel
from transformers.audio_utils import mel_filter_bank

from earwitness.models.spectral_codec import griffin_lim

FLOOR = 1e-5
"""Magnitude below which a mel bin counts as silent: log-mel values are at least log(1e-5) = -11.5."""
PUBLISHED_WINDOW = 1024
"""Samples of the window that cvssp/audioldm2 was trained with; its vocoder's configuration does not say."""


@dataclass(frozen=True)
class MelShape:
    """How a log-mel spectrogram is taken."""

    sample_rate: int
    n_fft: int
    hop: int
    bins: int

    @classmethod
    def of(cls, vocoder: Any) -> MelShape:
        """What a vocoder's configuration (SpeechT5HifiGan, or ours) expects."""
        config = vocoder.config
        return cls(
            sample_rate=int(config.sampling_rate),
            n_fft=int(getattr(config, "n_fft", PUBLISHED_WINDOW)),
            hop=int(np.prod(config.upsample_rates)),
            bins=int(config.model_in_dim),
        )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop


def log_mel(audio: Tensor, shape: MelShape) -> Tensor:
    """Log-mel spectrogram [B, T, M] of audio [B, S], T = S / hop: frame t is centred at sample hop (t + 1/2)."""
    reach = (shape.n_fft - shape.hop) // 2
    padded = torch.nn.functional.pad(audio[:, None], (reach, reach), mode="reflect")[:, 0]
    window = torch.hann_window(shape.n_fft, device=audio.device)
    spectrum = torch.stft(padded, shape.n_fft, shape.hop, window=window, center=False, return_complex=True)
    magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9).transpose(1, 2)
    mel: Tensor = (magnitude @ mel_filters(shape).to(audio.device)).clamp_min(FLOOR).log()
    return mel


# What is cached must serve gradients, even if it is first asked for in inference mode.
@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def mel_filters(shape: MelShape) -> Tensor:
    """Slaney filters [n_fft / 2 + 1, bins] of unit area from 0 Hz to half the sample rate, at most 8 kHz."""
    filters = mel_filter_bank(
        num_frequency_bins=shape.n_fft // 2 + 1,
        num_mel_filters=shape.bins,
        min_frequency=0.0,
        max_frequency=min(8000.0, shape.sample_rate / 2),
        sampling_rate=shape.sample_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(np.asarray(filters, dtype=np.float32))


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _inverse(shape: MelShape) -> Tensor:
    """Pseudo-inverse [bins, n_fft / 2 + 1] of the filters."""
    inverse: Tensor = torch.linalg.pinv(mel_filters(shape).double()).float()
    return inverse


class GriffinLimConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Shape of the spectrograms, named as SpeechT5HifiGan's configuration names them."""

    model_type = "griffin_lim"

    model_in_dim: int = 64
    """Mel bins."""
    sampling_rate: int = 16_000
    upsample_rates: tuple[int, ...] | list[int] = (512,)
    """Their product is the hop."""
    n_fft: int = 2048
    iterations: int = 16


class GriffinLimVocoder(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Audio of log-mel spectrograms without learned weights; stands where a pipeline has its HiFi-GAN."""

    config_class = GriffinLimConfig
    main_input_name = "spectrogram"

    def __init__(self, config: GriffinLimConfig) -> None:
        super().__init__(config)
        # A model without parameters has no dtype, which pipelines ask for.
        self.scale = torch.nn.Parameter(torch.ones(()), requires_grad=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Keep the one parameter at 1."""

    @classmethod
    def of(cls, shape: MelShape, iterations: int = 16) -> GriffinLimVocoder:
        """A vocoder of spectrograms of a shape."""
        config = GriffinLimConfig(
            model_in_dim=shape.bins,
            sampling_rate=shape.sample_rate,
            upsample_rates=[shape.hop],
            n_fft=shape.n_fft,
            iterations=iterations,
        )
        return cls(config)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Audio [B, hop T] of log-mel spectrograms [B, T, M], or [hop T] of one [T, M]."""
        if spectrogram.dim() == 2:
            audio: Tensor = self(spectrogram[None])[0]
            return audio
        shape = MelShape.of(self)
        mel = self.scale * spectrogram.float().exp()
        # What lies at the floor was silent: its magnitude would add up to a hiss.
        mel = torch.where(mel > 2 * FLOOR, mel, torch.zeros(()))
        magnitude = _spread(mel, shape)
        wave = griffin_lim(magnitude, shape.hop, int(self.config.iterations))
        return torch.nn.functional.pad(wave, (shape.hop // 2, shape.hop - shape.hop // 2))


def _spread(mel: Tensor, shape: MelShape, iterations: int = 8) -> Tensor:
    """Magnitudes [B, T, n_fft / 2 + 1], none negative, whose mel spectrum comes near mel [B, T, M].

    The pseudo-inverse's positive part, then multiplicative updates (Lee and Seung, 2001).
    """
    filters = mel_filters(shape).to(mel.device)
    magnitude = (mel @ _inverse(shape).to(mel.device)).clamp_min(1e-8)
    wanted = mel @ filters.T
    for _ in range(iterations):
        magnitude = magnitude * wanted / (magnitude @ filters @ filters.T).clamp_min(1e-12)
    return magnitude
