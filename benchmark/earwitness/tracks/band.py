"""The band track: where on the time-frequency plane each instrument word of a prompt acted.

All that a submitter must read. Subclass `BandExplainer`, write `explain`, and return a `BandMap`:

    class MyExplainer(BandExplainer):
        def explain(self, model, item):
            return BandMap(maps=attended(model, item) ** 2)

Letters of shapes: `B` batch, `N` prompt tokens, `I` instrument words, `M` mel bins, `T` mel frames, `S` samples, `L`
cross-attention layers, `H` heads, `t x m` a layer's grid of time and frequency, `D` width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from earwitness.errors import InvalidExplanationError
from earwitness.tracks import Track, attributed, require_real, rounding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from torch import Tensor, nn


class Text(NamedTuple):
    """Encoded prompts."""

    states: Tensor
    """[B, N, D] states of the stream whose tokens are the prompt's words (AudioLDM2: T5)."""
    mask: Tensor
    """[B, N] bool, True on the prompt's own tokens, False on padding."""
    other: Tensor | None = None
    """[B, N', D'] states of a stream whose tokens are no words of the prompt (AudioLDM2: GPT-2), where there is one."""


class Start(NamedTuple):
    """A sound that a generation starts from, instead of noise alone."""

    mel: Tensor
    """[B, M, T] its log-mel spectrogram."""
    strength: float
    """In (0, 1]: noise is added up to that share of the diffusion, and as large a share of the steps is run."""


class Generated(NamedTuple):
    """Generated sounds."""

    audio: Tensor
    """[B, S] in [-1, 1]."""
    mel: Tensor
    """[B, M, T] log-mel spectrogram, before the vocoder."""


class Recorder(Protocol):
    """Sees the cross-attention of a generation as it happens."""

    def __call__(self, step: int, layer: int, attention: Tensor) -> None:
        """Attention [B, H, t, m, N] after softmax, of the conditional branch, over the tokens of `Text.states`.

        `m` is 1 where the layer has no frequency axis. Whoever keeps more than sums keeps more with every step.
        """


class BandModel(Protocol):
    """A text-to-audio diffusion model with explicit cross-attention (AudioLDM2, Stable Audio)."""

    module: nn.Module
    """The denoiser (white box)."""
    device: torch.device
    sample_rate: int
    """Hz."""
    frame_rate: float
    """Mel frames per second."""
    bins: int
    """M."""
    frames: int
    """T of a generation of the length that the model was loaded for."""
    metered: nn.Module
    """The module whose passes are the cost: the denoiser."""
    steps: int
    """Denoising steps of a generation from noise alone."""
    guidance: float
    """Scale of classifier-free guidance: null + guidance * (conditional - null)."""
    strength: float
    """`Start.strength` of a task's items."""
    layers: int
    """L: cross-attention layers over the tokens of `Text.states`."""
    has_frequency: bool
    """Whether attention has a frequency axis; without, only time is scored."""

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one sound a call of `metered` with these arguments is worth."""

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        """Texts of each prompt's tokens, special ones included, padding not."""

    def special(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] bool for each prompt, True where a token is no part of the text (end of sequence)."""

    def words(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] int for each prompt: index of the whitespace-separated word that a token belongs to, -1 where special."""

    def encode(self, prompts: Sequence[str]) -> Text:
        """Encoded prompts, padded to the longest."""

    def mel(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of audio [B, S] at `sample_rate`, as the model was trained on."""

    def latents(self, mel: Tensor) -> Tensor:
        """Latents [B, ...] of log-mel spectrograms [B, M, T], scaled as the denoiser takes them."""

    def noised(self, latents: Tensor, seed: Sequence[int], step: int) -> Tensor:
        """Latents [B, ...] as they are before step `step` (0 is the noisiest), under the noise of each row's seed."""

    def denoised(self, noisy: Tensor, step: int, text: Text) -> Tensor:
        """Clean latents [B, ...] as the conditional branch foretells them from latents before step `step`.

        Differentiable in `noisy` and `text.states`. One row of `text` serves all.
        """

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of latents [B, ...]; differentiable."""

    def generate(
        self,
        text: Text,
        seed: int | Sequence[int],
        start: Start | None = None,
        record: Recorder | None = None,
        keep: Tensor | None = None,
    ) -> Generated:
        """Sounds whose noise is fixed by their seeds alone: the same seed, the same noise, whatever text and `keep`.

        `record` sees attention and changes nothing. `keep` [B, N, M, T] in [0, 1] multiplies what each token is given
        of the attention at each place, after softmax, in every layer and head of the conditional branch.
        """


@dataclass(frozen=True)
class BandItem:
    """A prompt and the sound that was generated from it."""

    id: str
    prompt: str
    seed: int
    """Generation seed."""
    explainer_seed: int
    """Seed for whatever is random in the explainer."""
    strength: float
    """Strength of the start."""
    tokens: tuple[str, ...]
    """[N] texts of the prompt's tokens."""
    instruments: tuple[str, ...]
    """[I] the instrument words, in the order of the prompt."""
    words: np.ndarray
    """[N] int64: index of the whitespace-separated word that a token belongs to, -1 where special."""
    named: np.ndarray
    """[I, N] bool: the tokens of each instrument word."""
    start: np.ndarray
    """[M, T] float32 log-mel spectrogram that the generation starts from; of no size where it starts from noise."""
    mel: np.ndarray
    """[M, T] float32 log-mel spectrogram of the generated sound, which is to be explained."""
    prior: np.ndarray
    """[I, M, T] float32: the average truth of the instrument in training clips; zero where there are none."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the item, by field."""
        return {name: getattr(self, name) for name in ("words", "named", "start", "mel", "prior")}

    def fields(self) -> dict[str, Any]:
        """Other fields of the item, as JSON types."""
        return {
            "id": self.id,
            "prompt": self.prompt,
            "seed": self.seed,
            "explainer_seed": self.explainer_seed,
            "strength": self.strength,
            "tokens": list(self.tokens),
            "instruments": list(self.instruments),
        }

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""
        lists = {name: tuple(fields[name]) for name in ("tokens", "instruments")}
        values: dict[str, Any] = {**fields, **lists, **arrays}
        return cls(**values)

    def without(self, instrument: int) -> str:
        """The prompt without the word of an instrument, by its number in `instruments`."""
        return without_word(self.prompt, int(self.words[self.named[instrument]][0]))


@dataclass(frozen=True)
class BandMap:
    """How much each token of the prompt acted at each place of the mel grid.

    An instrument's map is the sum of the maps of its word's tokens; the maps of other tokens are not scored. Raises
    InvalidExplanationError on creation unless `maps` is a finite real array [N, M, T] without negative values.

    >>> BandMap(maps=-np.ones((1, 2, 2)))
    Traceback (most recent call last):
    earwitness.errors.InvalidExplanationError: BandMap.maps must not be negative; found -1
    """

    maps: np.ndarray
    """[N, M, T], not negative."""

    def __post_init__(self) -> None:
        require_real("BandMap.maps", self.maps, (3,), "[N, M, T]")
        low, high = float(self.maps.min()), float(self.maps.max())
        if low < -rounding(self.maps) * max(high, 0.0):
            raise InvalidExplanationError(f"BandMap.maps must not be negative; found {low:g}")
        if low < 0:
            object.__setattr__(self, "maps", self.maps.clip(0))

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the explanation, by field."""
        return {"maps": self.maps.astype(np.float32)}

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""
        if set(arrays) != {"maps"}:
            raise InvalidExplanationError(f"a BandMap has the array maps; found {sorted(arrays)}")
        return cls(**arrays)

    @classmethod
    def of_instruments(cls, item: BandItem, maps: np.ndarray) -> Self:
        """The explanation that gives each instrument word its map [I, M, T], shared evenly by the word's tokens."""
        share = item.named / item.named.sum(1, keepdims=True)
        return cls(maps=np.einsum("in,imt->nmt", share, maps))

    def check(self, item: BandItem) -> None:
        """Raise InvalidExplanationError unless the map has the item's tokens, mel bins and frames."""
        wanted = (len(item.tokens), *item.mel.shape)
        if self.maps.shape != wanted:
            raise InvalidExplanationError(f"BandMap.maps must be {list(wanted)}; found {list(self.maps.shape)}")

    def instruments(self, item: BandItem) -> np.ndarray:
        """[I, M, T] float64: the map of each instrument word."""
        return np.asarray(np.einsum("in,nmt->imt", item.named.astype(np.float64), self.maps.astype(np.float64)))


@dataclass
class AttentionSums:
    """A recorder that adds attention up over steps: its memory does not grow with them."""

    sums: dict[int, Tensor] = field(default_factory=dict)
    """[B, H, t, m, N] of each layer, added up over steps."""
    counts: dict[int, int] = field(default_factory=dict)
    """Steps seen of each layer."""

    def __call__(self, step: int, layer: int, attention: Tensor) -> None:
        """Add one step of one layer."""
        if layer in self.sums:
            self.sums[layer] += attention
        else:
            self.sums[layer] = attention.clone()
        self.counts[layer] = self.counts.get(layer, 0) + 1

    def means(self) -> dict[int, Tensor]:
        """[B, H, t, m, N] of each layer, mean over steps."""
        return {layer: total / self.counts[layer] for layer, total in self.sums.items()}


def generate(model: BandModel, item: BandItem, record: Recorder | None = None, prompt: str | None = None) -> Generated:
    """The item's sound once more (B = 1), or that of another prompt under the same start and noise."""
    import torch

    with torch.inference_mode():
        text = model.encode([item.prompt if prompt is None else prompt])
        return model.generate(text, [item.seed], start_of(model, item), record)


def start_of(model: BandModel, item: BandItem) -> Start | None:
    """What the item's generation starts from (B = 1)."""
    import torch

    if not item.start.size:
        return None
    return Start(torch.from_numpy(item.start[None]).to(model.device), item.strength)


def on_mel_grid(maps: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Maps [..., t, m] of a layer's grid, brought to the mel grid [..., M, T] by bilinear interpolation."""
    from torch.nn.functional import interpolate

    flat = maps.reshape(-1, 1, *maps.shape[-2:]).transpose(-1, -2).float()
    large = interpolate(flat, size=shape, mode="bilinear", align_corners=False)
    return large.reshape(*maps.shape[:-2], *shape)


def loudness(mel: Any) -> Any:
    """Loudness [..., M, T] of a log-mel spectrogram's cells, an array or a tensor: intensity to the power of 0.3.

    Stevens' power law (1957); a log-mel value is the natural logarithm of a magnitude, so intensity is exp(2 mel). What
    the ear hears changes where loudness does; differences of the log itself are largest where nothing sounds.

    >>> round(float(loudness(np.log(10.0)) / loudness(np.log(1.0))), 3)  # 20 dB: four times as loud
    3.981
    """
    return (mel * 0.6).exp() if hasattr(mel, "exp") else np.exp(mel * 0.6)


def attended(model: BandModel, item: BandItem, layers: Sequence[int] = ()) -> np.ndarray:
    """Attention on each token [N, M, T] while the item's sound is generated: mean over heads, steps and layers.

    Layers are all, or those of the given numbers, each brought to the mel grid. Raises ValueError for a layer that the
    model has not.
    """
    import torch

    seen = AttentionSums()
    chosen = layer_numbers(model, layers)
    generate(model, item, record=seen)
    with torch.inference_mode():
        means = seen.means()
        maps = [on_mel_grid(means[layer][0].mean(0).movedim(-1, 0), item.mel.shape) for layer in chosen]
        return np.asarray(torch.stack(maps).mean(0).cpu().numpy())


def layer_numbers(model: BandModel, layers: Sequence[int]) -> list[int]:
    """The layers of these numbers, all where there are none; raises ValueError for one that the model has not."""
    unknown = sorted(set(layers) - set(range(model.layers)))
    if unknown:
        raise ValueError(f"layers must be among 0 to {model.layers - 1}; found {unknown}")
    return sorted(set(layers)) or list(range(model.layers))


def without_word(prompt: str, word: int) -> str:
    """The prompt without its whitespace-separated word of that index.

    >>> without_word("a bass and a drum", 1)
    'a and a drum'
    """
    words = prompt.split()
    return " ".join(words[:word] + words[word + 1 :])


class BandExplainer(ABC):
    """Base class of explainers of the band track.

    Parameters are dataclass fields (decorate the subclass with `@dataclass`), set from `submission.toml`.
    """

    @abstractmethod
    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item. Draw randomness from `item.explainer_seed` alone."""

    def explain_batch(self, model: BandModel, items: Sequence[BandItem]) -> list[BandMap]:
        """The maps of several items, in their order; override for speed."""
        return [self.explain(model, item) for item in items]


@dataclass
class AttributedMel(BandExplainer):
    """A method in captum's manner, asked where in the sound each instrument word is told: see `from_attribution`."""

    method: Callable[..., Any]

    @staticmethod
    def level(model: BandModel, item: BandItem) -> int:
        """Number of the step in the middle of those that the item's generation runs."""
        first = model.steps - max(1, round(item.strength * model.steps)) if item.start.size else 0
        return (first + model.steps) // 2

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item: the positive part of each instrument word's attributions."""
        import torch

        mel, step = torch.as_tensor(item.mel, device=model.device)[None], self.level(model, item)
        whole = model.encode([item.prompt])

        def of_word(number: int) -> np.ndarray:
            without = model.encode([item.without(number)])

            def forward(rows: Tensor) -> Tensor:
                clean = model.latents(rows)
                noisy = model.noised(clean, [item.seed] * len(rows), step)
                errors = [(model.denoised(noisy, step, text) - clean).square().flatten(1) for text in (without, whole)]
                return errors[0].mean(1) - errors[1].mean(1)

            return attributed(self.method, forward, mel).clip(min=0)

        return BandMap.of_instruments(item, np.stack([of_word(number) for number in range(len(item.instruments))]))


def from_attribution(method: Callable[..., Any]) -> BandExplainer:
    """An explainer made of a method in captum's manner: a class of captum's, or `method(forward, inputs)`.

    It is asked once for each instrument word. `inputs` [1, M, T] is the sound's log-mel spectrogram; `forward` tells
    how much better the model foretells spectrograms [B, M, T] from noise with the word than without it: the mean
    squared error of the clean latents, half way along the generation (a diffusion model as a classifier, Li et al.,
    arXiv 2303.16203). Methods that perturb the input serve every model, gradients those whose latents carry one.
    """
    return AttributedMel(method)


TRACK = Track(
    name="band",
    question="Where on the time-frequency plane did this word act?",
    item=BandItem,
    explanation=BandMap,
    explainer=BandExplainer,
    model=BandModel,
    from_attribution=from_attribution,
    scoring="earwitness.scoring.band",
)
