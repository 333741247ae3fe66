"""A speech model small enough to think through: bands of energy in, at most five tokens out, no transformers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from earwitness.tracks.speech import Attention, SpeechItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

PIECES = ("go", "stop", "left", "right", "lamp", "ramp", "fan", "van", "##ing", "##s")
"""A piece that starts with ## goes on with the word before it."""
END, START = len(PIECES), len(PIECES) + 1
LONGEST_TRANSCRIPT = 5


class Network(nn.Module):
    """One convolution over frames; one causal self-attention, one cross-attention of two heads, one output layer."""

    def __init__(self, bins: int, seed: int, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * scale)

        self.convolution = drawn(width, bins, 3, scale=1.5 / math.sqrt(3 * bins))
        self.embedding = drawn(START + 1, width, scale=1.0)
        self.position = drawn(64, width, scale=0.5)
        self.query, self.key, self.value = (drawn(3, width, width, scale=width**-0.5) for _ in range(3))
        self.output = drawn(width, END + 2, scale=3 * width**-0.5)
        self.centre = nn.Parameter((torch.arange(64) + 0.5) / LONGEST_TRANSCRIPT)

    def encode(self, features: Tensor) -> Tensor:
        """States [B, T, D] of spectrograms [B, T, M]; frames of zeros have states of zero."""
        convolved = torch.conv1d(features.transpose(1, 2), self.convolution, padding=1)
        return convolved.transpose(1, 2).tanh()

    def forward(self, features: Tensor, tokens: Tensor, prefix_mask: Tensor | None = None) -> tuple[Tensor, Attention]:
        """Logits [B, O + 1, V] of each token and of what follows the last, and the attention of those rows."""
        states = self.encode(features)
        context = self.embedding[tokens]
        if prefix_mask is not None:
            context = context * prefix_mask[..., None]
        context = torch.cat([self.embedding[START].expand(len(context), 1, -1), context], dim=1)
        context = context + self.position[: context.shape[1]]
        own, prefix = self._attend(0, context, context, _causal(context.shape[1], context.device))
        frames = (torch.arange(states.shape[1], device=states.device) + 0.5) / states.shape[1]
        place = -20 * (self.centre[: context.shape[1], None] - frames).square()
        heard, cross = self._attend(1, context + own, states, place)
        rows = heard.shape[0]
        logits = (heard + 0.3 * own).expand(rows, -1, -1) @ self.output
        loudness = heard.square().mean(-1)
        shift = torch.zeros_like(logits)
        shift[..., END] = 4 - 150 * loudness
        shift[..., START] = -20
        return logits + shift, Attention(cross[:, None], prefix[:, None])

    def _attend(self, layer: int, queries: Tensor, states: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        def heads(tensor: Tensor, weight: Tensor) -> Tensor:
            return torch.unflatten(tensor @ weight[layer], -1, (self.heads, -1)).transpose(1, 2)

        query, key, value = heads(queries, self.query), heads(states, self.key), heads(states, self.value)
        weights = (query @ key.transpose(2, 3) / math.sqrt(query.shape[-1]) + bias).softmax(-1)
        return (weights @ value).transpose(1, 2).flatten(2), weights


class FakeSpeechModel:
    """A `SpeechModel` drawn from a seed: 40 frames a second, 8 mel bins, tokens of PIECES."""

    def __init__(self, seed: int = 0, bins: int = 8) -> None:
        self.network = Network(bins, seed).eval().requires_grad_(False)
        self.module: nn.Module = self.network
        self.metered: nn.Module = self.network
        self.device = torch.device("cpu")
        self.sample_rate = 8000
        self.frame_rate = 40.0
        self.bins = bins
        self.longest = 60.0

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Rows of the pass."""
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        return float(max(len(value) for value in given))

    def features(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log energies [T, M] of bands of equal width in frames of 25 ms, of mean 0 and variance 1 a bin (if any)."""
        size = int(self.sample_rate / self.frame_rate)
        frames = audio[: len(audio) // size * size].reshape(-1, size)
        power = np.square(np.abs(np.fft.rfft(frames, axis=1)))[:, 1:]
        bands = np.stack([part.mean(1) for part in np.array_split(power, self.bins, axis=1)], axis=1)
        energy = np.log(bands + 1e-3)
        centred = energy - energy.mean(0)
        return np.asarray(centred / np.maximum(centred.std(0), 1e-2), dtype=np.float32)

    def encode(self, features: Tensor) -> Tensor:
        """Encoder states [B, T, D]."""
        return self.network.encode(features)

    @torch.no_grad()
    def transcribe(self, features: Tensor, beams: int = 5, most: int | None = None) -> list[NDArray[np.int64]]:
        """Tokens [O] of each spectrogram, greedy whatever `beams`; none where all cells are 0."""
        found: list[NDArray[np.int64]] = []
        for row in features:
            tokens: list[int] = []
            while len(tokens) < min(LONGEST_TRANSCRIPT, most or LONGEST_TRANSCRIPT):
                given = torch.tensor([tokens], dtype=torch.long, device=row.device)
                token = int(self.network(row[None], given)[0][0, -1].argmax())
                if token == END:
                    break
                tokens.append(token)
            found.append(np.array(tokens, dtype=np.int64))
        return found

    def logits(self, features: Tensor, tokens: Tensor, prefix_mask: Tensor | None = None) -> Tensor:
        """Logits [B, O, V] of token k after tokens 0 .. k - 1."""
        logits = self.network(features, tokens, prefix_mask)[0][:, :-1]
        rows = max(len(logits), len(features), len(tokens), 1 if prefix_mask is None else len(prefix_mask))
        expanded: Tensor = logits.expand(rows, -1, -1)
        return expanded

    def attention(self, features: Tensor, tokens: Tensor) -> Attention:
        """Attention of a teacher-forced pass."""
        found: Attention = self.network(features, tokens)[1]
        return Attention(found.cross[..., :-1, :], found.prefix[..., :-1, 1:])

    def text(self, tokens: Sequence[int]) -> str:
        """The transcript of tokens [O]."""
        return " ".join(PIECES[token] for token in tokens).replace(" ##", "").removeprefix("##")

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Text of each token."""
        return [PIECES[token] for token in tokens]

    def words(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """[O]: index of the word of `text(tokens)` that a token belongs to."""
        starts = [index == 0 or not PIECES[token].startswith("##") for index, token in enumerate(tokens)]
        return np.asarray(np.cumsum(starts, dtype=np.int64) - 1)


def _causal(length: int, device: torch.device) -> Tensor:
    return torch.full((length, length), -torch.inf, device=device).triu(1)


def fake_audio(model: FakeSpeechModel, seed: int = 0, seconds: float = 1.0) -> NDArray[np.float32]:
    """Mono audio [S]: tones that start, stop and change every fifth of the time, in faint noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(model.sample_rate * seconds)) / model.sample_rate
    part = np.minimum((times / max(seconds, 1e-9) * 5).astype(int), 4)
    hertz, gain = rng.uniform(200, 3800, (5, 3)), rng.uniform(0.05, 0.3, (5, 3))
    tones = (gain[part] * np.sin(2 * np.pi * hertz[part] * times[:, None])).sum(1)
    return np.asarray(np.clip(tones + rng.normal(0, 0.01, len(times)), -1, 1), dtype=np.float32)


def fake_item(model: FakeSpeechModel, seed: int = 0, name: str = "x", seconds: float = 1.0) -> SpeechItem:
    """An utterance of the model and its own transcript; where it hears nothing, the transcript is one token."""
    features = model.features(fake_audio(model, seed, seconds))
    tokens = model.transcribe(torch.as_tensor(features)[None])[0]
    if not len(tokens):
        tokens = np.zeros(1, dtype=np.int64)
    return SpeechItem(
        id=name,
        explainer_seed=100 + seed,
        text=model.text(tokens.tolist()),
        pieces=tuple(model.pieces(tokens.tolist())),
        features=features,
        tokens=tokens,
        words=model.words(tokens.tolist()),
    )
