"""A text-to-audio diffusion model small enough to think through: every instrument word has a place it attends to."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, pixel_shuffle, pixel_unshuffle

from earwitness.datasets import BandRecord
from earwitness.tracks.band import BandItem, Generated, Recorder, Start, Text, generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

PLACES = {
    "bass": (0.25, 0.15),
    "organ": (0.7, 0.3),
    "trumpet": (0.3, 0.6),
    "flute": (0.75, 0.85),
    "bell": (0.5, 0.9),
    "drum": (0.1, 0.4),
    "cymbal": (0.9, 0.65),
}
"""Where on the time and the frequency axis, each in (0, 1), an instrument word attends and sounds."""
KNOWN = tuple(PLACES)
PIECES = {"trumpet": ("trum", "pet"), "cymbal": ("cym", "bal")}
"""Words of several tokens."""
END = "</s>"
SILENT, LOUD = -9.0, -3.0
"""Log magnitudes."""
HOP = 64
WIDTH = 5
"""Of a state: its place on the two axes, the height of its attention, what it adds there, how it follows the sound."""


class Denoiser(nn.Module):
    """Two cross-attention layers of two heads, whose queries are places; the clean sound is what they bring there."""

    def __init__(self, grids: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.sharpness = nn.Parameter(torch.tensor([30.0, 50.0]))

    def forward(
        self, noisy: Tensor, states: Tensor, mask: Tensor, keep: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Clean latents [B, 4, T/2, M/2] and the attention [B, H, t, m, N] of each layer."""
        clean = 0.1 * noisy
        attended: list[Tensor] = []
        for grid in self.grids:
            weights = self._attention(noisy, states, mask, grid)
            attended.append(weights)
            if keep is not None:
                kept = adaptive_avg_pool2d(keep.transpose(2, 3), grid)
                weights = weights * kept.permute(0, 2, 3, 1)[:, None]
            brought = (weights.mean(1) * states[:, None, None, :, 3]).sum(-1)
            clean = clean + interpolate(brought[:, None], size=noisy.shape[-2:]) / len(self.grids)
        return clean, attended

    def _attention(self, noisy: Tensor, states: Tensor, mask: Tensor, grid: tuple[int, int]) -> Tensor:
        loud = adaptive_avg_pool2d(noisy.mean(1, keepdim=True), grid)[:, 0]
        time = (torch.arange(grid[0], device=noisy.device) + 0.5) / grid[0]
        far = (time[:, None, None] - states[:, None, None, :, 0]).square()
        if grid[1] > 1:
            bin_ = (torch.arange(grid[1], device=noisy.device) + 0.5) / grid[1]
            far = far + (bin_[:, None] - states[:, None, None, :, 1]).square()
        bump = (-self.sharpness[:, None, None, None] * far[:, None]).exp()
        height, follows = states[:, None, None, None, :, 2], states[:, None, None, None, :, 4]
        logits = height * bump - 3 * (height > 0) + follows * loud[:, None, :, :, None]
        return logits.masked_fill(~mask[:, None, None, None], -torch.inf).softmax(-1)


class FakeBandModel:
    """A `BandModel`: 25 mel frames a second, 16 bins, words of `PLACES`; every other word does next to nothing."""

    def __init__(self, has_frequency: bool = True, steps: int = 6) -> None:
        self.bins, self.frames = 16, 24
        half = (self.frames // 2, self.bins // 2)
        grids = [half, (half[0] // 2, half[1] // 2)] if has_frequency else [(half[0], 1), (half[0] // 2, 1)]
        self.network = Denoiser(grids).eval().requires_grad_(False)
        self.module: nn.Module = self.network
        self.metered: nn.Module = self.network
        self.device = torch.device("cpu")
        self.sample_rate = 1600
        self.frame_rate = self.sample_rate / HOP
        self.steps = steps
        self.guidance = 2.0
        self.strength = 0.7
        self.layers = len(grids)
        self.has_frequency = has_frequency
        self._kept = torch.linspace(0.02, 0.95, steps)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Rows of the pass."""
        given = args[0] if args else kwargs["noisy"]
        return float(len(given))

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        """Words, some in two pieces, and the end of the sequence."""
        return [[piece for word in prompt.split() for piece in _pieces(word)] + [END] for prompt in prompts]

    def special(self, prompts: Sequence[str]) -> list[NDArray[np.bool_]]:
        """True for the end of the sequence."""
        return [np.array([token == END for token in tokens]) for tokens in self.tokens(prompts)]

    def words(self, prompts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Index of each token's word."""
        found = []
        for prompt in prompts:
            of = [index for index, word in enumerate(prompt.split()) for _ in _pieces(word)]
            found.append(np.array([*of, -1], dtype=np.int64))
        return found

    def encode(self, prompts: Sequence[str]) -> Text:
        """States that say where a word attends and what it adds."""
        rows = [[*(state for word in prompt.split() for state in _states(word)), (0.0,) * WIDTH] for prompt in prompts]
        states = torch.zeros(len(rows), max(map(len, rows)), WIDTH)
        mask = torch.zeros(states.shape[:2], dtype=torch.bool)
        for index, row in enumerate(rows):
            states[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = True
        return Text(states, mask)

    def mel(self, audio: Tensor) -> Tensor:
        """Log magnitudes [B, M, T] of the tones that `audio` puts together."""
        frames = audio.reshape(len(audio), -1, HOP)
        tones = torch.fft.rfft(frames, dim=-1)[..., 1 : 2 * self.bins : 2].abs() * (2 / HOP)
        found: Tensor = tones.clamp_min(1e-5).log().transpose(1, 2)
        return found

    def audio(self, mel: Tensor) -> Tensor:
        """Audio [B, S] of log magnitudes [B, M, T]: one tone a bin, anew in each frame; `mel` takes them back."""
        cycles = 2 * torch.arange(self.bins) + 1
        phase = 2 * math.pi * cycles[:, None] * torch.arange(HOP) / HOP + cycles[:, None].square()
        return (mel.exp().transpose(1, 2) @ phase.sin()).flatten(1).clamp(-1, 1)

    def latents(self, mel: Tensor) -> Tensor:
        """Latents [B, 4, T/2, M/2]: 0 is silent, 2 is loud."""
        return pixel_unshuffle((mel.transpose(1, 2)[:, None] - SILENT) / 3, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """Log magnitudes [B, M, T]."""
        return (pixel_shuffle(latents, 2)[:, 0] * 3 + SILENT).transpose(1, 2)

    def noised(self, latents: Tensor, seed: Sequence[int], step: int) -> Tensor:
        """Latents under the noise of each row's seed."""
        kept = self._kept[step]
        return kept.sqrt() * latents + (1 - kept).sqrt() * self._noise(seed)

    def denoised(self, noisy: Tensor, step: int, text: Text) -> Tensor:
        """Clean latents, the same function at every step."""
        return self._pass(noisy, text)[0]

    @torch.no_grad()
    def generate(
        self,
        text: Text,
        seed: int | Sequence[int],
        start: Start | None = None,
        record: Recorder | None = None,
        keep: Tensor | None = None,
    ) -> Generated:
        """Sounds, by deterministic steps from the noise of each row's seed."""
        seeds = [seed] * len(text.states) if isinstance(seed, int) else list(seed)
        first = 0 if start is None else self.steps - max(1, round(start.strength * self.steps))
        shape = (len(seeds), 4, self.frames // 2, self.bins // 2)
        noisy = self.noised(torch.zeros(shape) if start is None else self.latents(start.mel), seeds, first)
        null = self.encode([""])
        for step in range(first, self.steps):
            given, attended = self._pass(noisy, text, keep)
            for layer, attention in enumerate(attended):
                if record is not None:
                    record(step, layer, attention)
            without = self._pass(noisy, null)[0]
            clean = without + self.guidance * (given - without)
            kept = self._kept[step]
            noise = (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()
            after = self._kept[step + 1] if step + 1 < self.steps else torch.ones(())
            noisy = after.sqrt() * clean + (1 - after).sqrt() * noise
        mel = self.decode(noisy)
        return Generated(self.audio(mel), mel)

    def _pass(self, noisy: Tensor, text: Text, keep: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        rows = len(noisy)
        found: tuple[Tensor, list[Tensor]] = self.network(
            noisy, text.states.expand(rows, -1, -1), text.mask.expand(rows, -1), keep
        )
        return found

    def _noise(self, seeds: Sequence[int]) -> Tensor:
        shape = (4, self.frames // 2, self.bins // 2)
        return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def _name(word: str) -> str:
    return word.lower().strip(".,;:!?\"'()")


def _pieces(word: str) -> tuple[str, ...]:
    return PIECES.get(_name(word), (word,))


def _states(word: str) -> list[tuple[float, ...]]:
    name = _name(word)
    if name in PLACES:
        return [(*PLACES[name], 7.0, 1.2, 0.3)] * len(_pieces(word))
    draw = hashlib.sha256(name.encode()).digest()
    return [(draw[0] / 255, draw[1] / 255, 0.0, 0.0, 0.05 * draw[2] / 255)]


def fake_stems(model: FakeBandModel, instruments: Sequence[str], seed: int = 0) -> NDArray[np.float32]:
    """Log-mel spectrograms [I, M, T] of stems: each loud near its place, moved a little by the seed, else silent."""
    rng = np.random.default_rng(seed)
    time = (np.arange(model.frames) + 0.5) / model.frames
    bins = ((np.arange(model.bins) + 0.5) / model.bins)[:, None]
    stems = []
    for name in instruments:
        at, height = np.array(PLACES[name]) + rng.uniform(-0.08, 0.08, 2)
        bump = np.exp(-40 * ((time - at) ** 2 + (bins - height) ** 2))
        stems.append(np.log(np.exp(LOUD) * bump + 1e-5))
    return np.stack(stems).astype(np.float32)


def named_instruments(prompt: str) -> tuple[str, ...]:
    """The instrument words of a prompt, in its order."""
    return tuple(_name(word) for word in prompt.split() if _name(word) in PLACES)


def fake_record(
    model: FakeBandModel, prompt: str = "a bass and a flute", seed: int = 0, name: str = "x", cluster: str = ""
) -> BandRecord:
    """A clip at the model's own sample rate, whose stems are those of the prompt's instruments."""

    def stems(sample_rate: int, instruments: tuple[str, ...]) -> NDArray[np.float32]:
        assert sample_rate == model.sample_rate
        mels = fake_stems(model, named_instruments(prompt), seed)
        by_name = dict(zip(named_instruments(prompt), model.audio(torch.from_numpy(mels)).numpy(), strict=True))
        return np.stack([by_name[instrument] for instrument in instruments])

    def audio(sample_rate: int) -> NDArray[np.float32]:
        return np.asarray(stems(sample_rate, named_instruments(prompt)).sum(0), dtype=np.float32)

    seconds = model.frames / model.frame_rate
    return BandRecord(name, prompt, cluster or name, KNOWN, seconds, audio, stems)


def fake_item(
    model: FakeBandModel,
    prompt: str = "a bass and a flute",
    seed: int = 0,
    name: str = "x",
    start: bool = True,
) -> BandItem:
    """What the model makes of a clip's sound (or of noise alone) under a prompt that names instruments of `PLACES`.

    The prior is the mean of the stems of ten other clips' instruments, from 0 at silence to 1 at the loudest.
    """
    instruments = named_instruments(prompt)
    tokens, words = model.tokens([prompt])[0], model.words([prompt])[0]
    positions = [index for index, word in enumerate(prompt.split()) if _name(word) in PLACES]
    stems = np.exp(fake_stems(model, instruments, seed))
    others = np.exp(np.mean([fake_stems(model, instruments, 1000 + other) for other in range(10)], axis=0))
    silent = np.zeros((0, 0), dtype=np.float32)
    item = BandItem(
        id=name,
        prompt=prompt,
        seed=seed,
        explainer_seed=100 + seed,
        strength=model.strength,
        tokens=tuple(tokens),
        instruments=instruments,
        words=words,
        named=words[None] == np.array(positions)[:, None],
        start=np.log(stems.sum(0)).astype(np.float32) if start else silent,
        mel=silent,
        prior=(others / others.max((1, 2), keepdims=True)).astype(np.float32),
    )
    mel = generate(model, item).mel[0].numpy()
    return BandItem.build(item.fields(), {**item.arrays(), "mel": mel})
