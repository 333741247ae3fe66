"""An audio autoencoder that is one matrix, and latents whose factors and sparse directions are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from earwitness.datasets import ConceptRecord, Notes
from earwitness.tracks.concept import ConceptItem, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

HOP = 64
LEVEL = 0.02
"""Amplitude of a latent of 1 in the sound."""
GRID = 0.25
"""Step of quantised latents."""
ACTIVE = 3
"""Sparse directions of a frame."""
LOWEST = 60
"""MIDI number of the lowest pitch."""


class Frames(nn.Module):
    """Frames of sound to latents: each latent is a cosine; the way back is the transposed matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        cycles, time = torch.arange(width) + 1.5, torch.arange(HOP) + 0.5
        self.basis = nn.Parameter(torch.cos(math.pi * cycles[:, None] * time / HOP) * math.sqrt(2 / HOP))

    def forward(self, frames: Tensor) -> Tensor:
        """Latents [B, F, D] of frames [B, F, HOP]."""
        return frames @ self.basis.T / LEVEL


class FakeConceptModel:
    """A `ConceptModel`: 25 latent frames a second; `encode` takes back the latents that `decode` was given."""

    def __init__(self, width: int = 16, kind: Kind = Kind.CONTINUOUS) -> None:
        self.network = Frames(width).eval().requires_grad_(False)
        self.module: nn.Module = self.network
        self.metered: nn.Module = self.network
        self.device = torch.device("cpu")
        self.sample_rate = 25 * HOP
        self.frame_rate = 25.0
        self.width = width
        self.kinds = (Kind.CONTINUOUS, Kind.QUANTISED)
        self.kind = kind

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Rows of the pass."""
        given = args[0] if args else kwargs["frames"]
        return float(len(given))

    def encode(self, audio: Tensor, kind: Kind = Kind.CONTINUOUS) -> Tensor:
        """Latents [B, F, D] of audio [B, S]."""
        frames = pad(audio, (0, -audio.shape[-1] % HOP)).view(len(audio), -1, HOP)
        found: Tensor = self.metered(frames)
        return (found / GRID).round() * GRID if kind == Kind.QUANTISED else found

    def decode(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]."""
        return (latents @ self.network.basis * LEVEL).flatten(1)


@dataclass(frozen=True)
class Planted:
    """Latents of clips, and all that they were made of."""

    latents: NDArray[np.float32]
    """[n, F, D]: `factors` along `axes`, `codes` along `directions`, `offset`, a little noise."""
    factors: dict[str, NDArray[np.float64]]
    """[n] of each clip: pitch (MIDI number), loudness (dB), brightness (octaves)."""
    axes: NDArray[np.float64]
    """[2, D] unit directions along which loudness and brightness lie linearly, deviation 1 each in the latents."""
    directions: NDArray[np.float64]
    """[P, D] unit directions, a few active in each frame, orthogonal to `axes`; the first 12 are the pitches'."""
    codes: NDArray[np.float64]
    """[n, F, P] how active each direction is: 0, or 2 to 4."""
    offset: NDArray[np.float64]
    """[D] mean that has nothing to do with any of it."""


def planted(
    width: int = 16, clips: int = 60, frames: int = 20, *, seed: int = 0, world: int = 0, correlated: bool = False
) -> Planted:
    """Clips drawn from `seed`, on the axes and directions that `world` fixes.

    Each clip has one pitch in all its frames; two other directions come and go from frame to frame. Where `correlated`,
    loudness and brightness move together (correlation .9).
    """
    fixed, rng = np.random.default_rng(world), np.random.default_rng((seed, 1))
    rotated = np.linalg.qr(fixed.normal(size=(width, width)))[0].T
    drawn = fixed.normal(size=(2 * width, width - 2)) @ rotated[2:]
    directions = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    offset = fixed.normal(size=width)
    pitches = min(12, width)
    pitch = rng.integers(pitches, size=clips)
    linear = rng.normal(size=(clips, 2))
    if correlated:
        linear[:, 1] = 0.9 * linear[:, 0] + math.sqrt(1 - 0.9**2) * linear[:, 1]
    active = np.zeros((clips, frames, len(directions)), dtype=bool)
    others = rng.random((clips, frames, len(directions) - pitches)).argsort(-1)[..., : ACTIVE - 1] + pitches
    np.put_along_axis(active, others, True, -1)
    active[np.arange(clips), :, pitch] = True
    codes = active * rng.uniform(2, 4, size=active.shape)
    noise = 0.05 * rng.normal(size=(clips, frames, width))
    latents = offset + codes @ directions + (linear @ rotated[:2])[:, None] + noise
    factors: dict[str, NDArray[np.float64]]
    factors = {
        "pitch": LOWEST + pitch.astype(np.float64),
        "loudness": -20 + 5 * linear[:, 0],
        "brightness": 3 + linear[:, 1],
    }
    return Planted(latents.astype(np.float32), factors, rotated[:2], directions, codes, offset)


def fake_item(
    model: FakeConceptModel, found: Planted | None = None, *, name: str = "x", seeds: tuple[int, ...] = (0, 1)
) -> ConceptItem:
    """Planted latents as an item, as the model has them after their sound was encoded again."""
    given = planted(model.width) if found is None else found
    latents = model.encode(model.decode(torch.from_numpy(given.latents)), model.kind)
    return ConceptItem(name, str(model.kind), model.frame_rate, seeds, latents.numpy().astype(np.float32))


def fake_notes(model: FakeConceptModel, given: Planted) -> Notes:
    """The sounds and factors of planted latents."""

    def audio(sample_rate: int) -> list[NDArray[np.float32]]:
        assert sample_rate == model.sample_rate
        return list(model.decode(torch.from_numpy(given.latents)).numpy())

    return Notes(audio, given.factors)


def fake_record(model: FakeConceptModel, seed: int = 0, name: str = "x", correlated: bool = False) -> ConceptRecord:
    """Training and test clips on the same axes and directions; only training clips are ever correlated."""
    train = planted(model.width, 60, seed=2 * seed, correlated=correlated)
    test = planted(model.width, 40, seed=2 * seed + 1)
    moved = ("loudness", "brightness") if correlated else ()
    return ConceptRecord(name, name, fake_notes(model, train), fake_notes(model, test), correlated=moved)
