"""Utterances of the spoken world as a recogniser reads them, kept on disk for training, and how they are varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from transformers import Speech2TextFeatureExtractor

from earwitness.atomic import atomic_write
from earwitness.worlds.espeak import SAMPLE_RATE
from earwitness.worlds.spoken import VERSION, Split, Utterance, render, utterance

BINS = 40
"""Mel bins."""
GROUPS, GROUP_SIZE = 6, 100
"""A batch is drawn from one of at most `GROUPS` groups of utterances of similar length, of `GROUP_SIZE` or more."""


def build_extractor() -> Speech2TextFeatureExtractor:
    """Log-mel features of 25 ms every 10 ms, normalised by utterance."""
    return Speech2TextFeatureExtractor(  # type: ignore[no-untyped-call]
        feature_size=BINS, num_mel_bins=BINS, sampling_rate=SAMPLE_RATE
    )


@dataclass(frozen=True)
class Corpus:
    """Utterances and their log-mel spectrograms before normalisation, one after another."""

    utterances: Sequence[Utterance]
    frames: NDArray[np.float16]
    """[sum of T, M]."""
    offsets: NDArray[np.int64]
    """[n + 1]: where each utterance begins and the last one ends."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[n]: frames of each utterance."""
        return np.diff(self.offsets)

    @cached_property
    def groups(self) -> list[NDArray[np.int64]]:
        """Indices of utterances by their length, in groups of one size."""
        by_length = np.argsort(self.lengths, kind="stable")
        return np.array_split(by_length, max(1, min(GROUPS, len(by_length) // GROUP_SIZE)))

    def spectrogram(self, index: int) -> NDArray[np.float32]:
        """Log-mel spectrogram [T, M] of one utterance, not normalised."""
        return self.frames[self.offsets[index] : self.offsets[index + 1]].astype(np.float32)

    def draw(self, rng: np.random.Generator, size: int, short: bool = False) -> NDArray[np.int64]:
        """Indices of utterances of similar length; with `short`, of the shorter half."""
        among = (len(self.groups) + 1) // 2 if short else len(self.groups)
        group = self.groups[rng.integers(among)]
        return np.asarray(rng.choice(group, size))


def corpus(split: Split, count: int, cache: Path) -> Corpus:
    """The first `count` utterances of a split, rendered unless the cache holds them.

    Raises EarwitnessError where espeak-ng is missing.
    """
    path = cache / f"spoken_{VERSION}_{split}_{count}_{BINS}.npz"
    utterances = [utterance(split, index) for index in range(count)]
    if not path.exists():
        _render(utterances, path)
    with np.load(path) as kept:
        return Corpus(utterances, kept["frames"], kept["offsets"])


def _render(utterances: Sequence[Utterance], path: Path) -> None:
    extractor = build_extractor()
    parts = []
    for said in track(utterances, description="rendering", transient=True):
        # Normalisation comes after noise is added, as it does where a sound is noisy to begin with.
        parts.append(extractor._extract_fbank_features(render(said).audio).astype(np.float16))
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=np.concatenate(parts), offsets=offsets)


def pad(spectrograms: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Spectrograms of several lengths as one array [B, T, M], zeros at the end, and which frames [B, T] are real."""
    longest = max(len(one) for one in spectrograms)
    padded = np.zeros((len(spectrograms), longest, spectrograms[0].shape[1]), dtype=np.float32)
    real = np.zeros(padded.shape[:2], dtype=bool)
    for row, one in enumerate(spectrograms):
        padded[row, : len(one)] = one
        real[row, : len(one)] = True
    return padded, real


def normalise(spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit deviation of each mel bin over the frames of a log-mel spectrogram [T, M]."""
    normalised = Speech2TextFeatureExtractor.utterance_cmvn(spectrogram, len(spectrogram))
    return np.asarray(normalised, dtype=np.float32)


@dataclass(frozen=True)
class Variation:
    """How spectrograms are varied in training, so that noise and removed cells are nothing strange."""

    noise_share: float = 0.5
    """Share of utterances with more background noise."""
    noise_levels: tuple[float, float] = (-4.0, 3.0)
    """Natural logarithm of the noise's power, relative to the utterance's mean log-mel."""
    noise_tilt: float = 2.0
    """Standard deviation of the change of that level from the lowest to the highest bin."""
    band_share: float = 0.5
    """Share of utterances with removed bands and stretches (SpecAugment, arXiv 1904.08779)."""
    bands: int = 2
    band_width: int = 6
    """Most mel bins of a removed band."""
    stretch_width: int = 12
    """Most frames of a removed stretch."""
    patch_share: float = 0.3
    """Share of utterances with removed patches."""
    most_patches: float = 0.9
    """Largest share of patches that are removed."""
    grains: tuple[tuple[int, int], ...] = ((1, 1), (1, 1), (3, 2), (6, 3), (12, 5), (25, 10))
    """Frames and mel bins of a patch; single cells among them."""

    def features(self, spectrogram: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Varied and normalised features [T, M] of a log-mel spectrogram [T, M]."""
        if rng.random() < self.noise_share:
            spectrogram = self._noisy(spectrogram, rng)
        features = normalise(spectrogram)
        if rng.random() < self.band_share:
            self._remove_bands(features, rng)
        if rng.random() < self.patch_share:
            features *= self._kept_patches(features.shape, rng)
        return features

    def _noisy(self, spectrogram: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        frames, bins = spectrogram.shape
        level = float(spectrogram.mean()) + rng.uniform(*self.noise_levels)
        tilt = np.linspace(-0.5, 0.5, bins) * rng.normal(0.0, self.noise_tilt)
        # The power of noise in a mel bin fluctuates as a mean of a few squared normal variables.
        noise = level + tilt + np.log(rng.gamma(3.0, 1 / 3, (frames, bins)) + 1e-6)
        return np.asarray(np.logaddexp(spectrogram, noise), dtype=np.float32)

    def _remove_bands(self, features: NDArray[np.float32], rng: np.random.Generator) -> None:
        frames, bins = features.shape
        for _ in range(self.bands):
            width, height = rng.integers(0, self.stretch_width + 1), rng.integers(0, self.band_width + 1)
            start, bottom = rng.integers(0, max(1, frames - width)), rng.integers(0, bins - height)
            features[start : start + width] = 0
            features[:, bottom : bottom + height] = 0

    def _kept_patches(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
        frames, bins = shape
        width, height = self.grains[rng.integers(len(self.grains))]
        removed = rng.random((frames // width + 2, bins // height + 2)) < rng.uniform(0, self.most_patches)
        late, up = rng.integers(width), rng.integers(height)
        whole = removed.repeat(width, 0).repeat(height, 1)
        return np.asarray(~whole[late : late + frames, up : up + bins])
