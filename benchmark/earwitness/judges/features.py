"""Log-mel features of batches of clips."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank, window_function


def class_names(config: Any) -> tuple[str, ...]:
    """Names of a classifier's classes, in the order of its logits, from its transformers config."""
    return tuple(config.id2label[i] for i in range(config.num_labels))


# What is cached must serve gradients, even if it is first asked for in inference mode.
@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def mel_filters(n_fft: int, bins: int, sample_rate: int, scale: str) -> Tensor:
    """Triangular filters [n_fft / 2 + 1, bins] from 20 Hz to the Nyquist frequency."""
    filters = mel_filter_bank(
        num_frequency_bins=n_fft // 2 + 1,
        num_mel_filters=bins,
        min_frequency=20,
        max_frequency=sample_rate // 2,
        sampling_rate=sample_rate,
        norm=None,
        mel_scale=scale,
        triangularize_in_mel_space=scale == "kaldi",
    )
    return torch.from_numpy(np.asarray(filters, dtype=np.float32))


@functools.lru_cache(maxsize=2)
@torch.inference_mode(False)
def _kaldi_window() -> Tensor:
    return torch.from_numpy(window_function(400, "hann", periodic=False).astype(np.float32))


def kaldi_fbank(audio: Tensor, bins: int, sample_rate: int) -> Tensor:
    """Log-mel filter bank [B, T, bins] of audio [B, S], as ASTFeatureExtractor computes it for one clip at a time."""
    # Pre-emphasis and the removal of each frame's mean are linear, so that the first is done before framing.
    emphasised = torch.cat([audio[:, :1], audio[:, 1:] - 0.97 * audio[:, :-1]], 1).unfold(-1, 400, 160)
    frames = audio.unfold(-1, 400, 160)
    mean = 0.03 * frames.mean(-1, keepdim=True)
    emphasised = emphasised - mean
    emphasised[..., 0] = 0.03 * frames[..., 0] - mean[..., 0]
    spectrum = torch.fft.rfft(emphasised * _kaldi_window().to(audio.device), n=512)
    power = spectrum.real.square() + spectrum.imag.square()
    mel: Tensor = power @ mel_filters(512, bins, sample_rate, "kaldi").to(audio.device)
    return mel.clamp_min(1.192092955078125e-07).log()
