"""The concept track: which features of an audio autoencoder's latents carry pitch, loudness and timbre.

All that a submitter must read. Subclass `ConceptExplainer`, write `fit`, and return a `Dictionary`:

    class MyExplainer(ConceptExplainer):
        def fit(self, model, item, seed):
            frames = item.train.reshape(-1, item.train.shape[-1])
            ...
            return Dictionary(encoder, bias, decoder, offset, activation=Activation.RELU)

Letters of shapes: `B` batch, `n` clips, `F` latent frames of a clip, `D` width of the latents, `C` features, `S`
samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from earwitness.errors import InvalidExplanationError
from earwitness.tracks import Track, require_real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from torch import Tensor, nn


class Kind(StrEnum):
    """Which latents of an autoencoder."""

    CONTINUOUS = "continuous"
    """Before quantisation."""
    QUANTISED = "quantised"
    """After it: sums of code vectors."""


class ConceptModel(Protocol):
    """An audio autoencoder (EnCodec, Oobleck, WavTokenizer)."""

    module: nn.Module
    """The underlying torch module (white box)."""
    device: torch.device
    sample_rate: int
    """Hz."""
    frame_rate: float
    """Latent frames per second."""
    width: int
    """D."""
    kinds: tuple[Kind, ...]
    """The latents that it has."""
    kind: Kind
    """The latents that a task's items are of."""
    metered: nn.Module
    """The module whose passes are the cost: the autoencoder."""

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one clip a call of `metered` with these arguments is worth."""

    def encode(self, audio: Tensor, kind: Kind = Kind.CONTINUOUS) -> Tensor:
        """Latents [B, F, D] of audio [B, S] in [-1, 1], S padded with silence to whole frames."""

    def decode(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D] of either kind, as they are: nothing is quantised again."""


class Activation(StrEnum):
    """What a dictionary does to its pre-activations `x = (latents - offset) @ encoder + bias`."""

    IDENTITY = "identity"
    RELU = "relu"
    """max(x, 0)."""
    TOPK = "topk"
    """max(x, 0) of the `k` largest of each frame, 0 elsewhere (Gao et al., arXiv 2406.04093)."""
    THRESHOLD = "threshold"
    """x where it is above `threshold`, 0 elsewhere: BatchTopK at inference (Bussmann et al., arXiv 2412.06410)."""


@dataclass(frozen=True)
class ConceptItem:
    """Latents to fit a dictionary on. What is in the clips, and the clips it is tried on, no explainer sees."""

    id: str
    kind: str
    """A `Kind`."""
    frame_rate: float
    """Latent frames per second."""
    explainer_seeds: tuple[int, ...]
    """A dictionary is fitted under each: what is random in the explainer is drawn from it."""
    train: np.ndarray
    """[n, F, D] float32 latents of training clips."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the item, by field."""
        return {"train": self.train}

    def fields(self) -> dict[str, Any]:
        """Other fields of the item, as JSON types."""
        return {
            "id": self.id,
            "kind": self.kind,
            "frame_rate": self.frame_rate,
            "explainer_seeds": list(self.explainer_seeds),
        }

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""
        values: dict[str, Any] = {**fields, "explainer_seeds": tuple(fields["explainer_seeds"]), **arrays}
        return cls(**values)


@dataclass(frozen=True)
class Dictionary:
    """Features of latents and the way back, as arrays: scoring runs no code of a submission.

    `encode` is `activation((latents - offset) @ encoder + bias)`, divided by its root mean square over features where
    `normalise` is set (RMSNorm without gain); `decode` is `features @ decoder + offset`. Raises InvalidExplanationError
    on creation unless the shapes agree and every number is finite.

    >>> d = Dictionary(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2), activation=Activation.TOPK, k=1)
    >>> d.encode(np.array([[3.0, 1.0], [-1.0, -2.0]])).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """

    encoder: np.ndarray
    """[D, C]."""
    bias: np.ndarray
    """[C]."""
    decoder: np.ndarray
    """[C, D]."""
    offset: np.ndarray
    """[D]."""
    activation: Activation = Activation.RELU
    k: int = 0
    """Features of a frame that may be active, for `TOPK`."""
    threshold: float = 0.0
    """For `THRESHOLD`; at least 0."""
    normalise: bool = False
    """Whether features are divided by their root mean square, as the printed sparse autoencoder has it."""

    def __post_init__(self) -> None:
        for name, shape in (("encoder", "[D, C]"), ("bias", "[C]"), ("decoder", "[C, D]"), ("offset", "[D]")):
            require_real(f"Dictionary.{name}", getattr(self, name), (1 + shape.count(","),), shape)
        width, features = self.encoder.shape
        wanted = {"bias": (features,), "decoder": (features, width), "offset": (width,)}
        for name, sizes in wanted.items():
            found = getattr(self, name).shape
            if found != sizes:
                raise InvalidExplanationError(
                    f"Dictionary.{name} must be {list(sizes)}, as its encoder is [{width}, {features}]; "
                    f"found {list(found)}"
                )
        if self.activation is Activation.TOPK and not 1 <= self.k <= features:
            raise InvalidExplanationError(f"Dictionary.k must lie in 1 to {features}; found {self.k}")
        if not (np.isfinite(self.threshold) and self.threshold >= 0):
            raise InvalidExplanationError(f"Dictionary.threshold must be finite and at least 0; found {self.threshold}")

    @property
    def features(self) -> int:
        """C."""
        return int(self.encoder.shape[1])

    def encode(self, latents: np.ndarray) -> np.ndarray:
        """Features [..., C] of latents [..., D]."""
        found = (latents - self.offset) @ self.encoder + self.bias
        if self.activation is Activation.RELU:
            found = np.maximum(found, 0)
        elif self.activation is Activation.TOPK:
            found = _top(np.maximum(found, 0), self.k)
        elif self.activation is Activation.THRESHOLD:
            found = np.where(found > self.threshold, found, 0)
        if self.normalise:
            found = found / np.sqrt(np.square(found).mean(-1, keepdims=True) + 1e-8)
        return np.asarray(found)

    def decode(self, features: np.ndarray) -> np.ndarray:
        """Latents [..., D] of features [..., C]."""
        return np.asarray(features @ self.decoder + self.offset)


def _top(values: np.ndarray, k: int) -> np.ndarray:
    """Values [..., C] with all but the k largest of each row at 0; of equal ones the first stay."""
    if k >= values.shape[-1]:
        return values
    order = np.argsort(-values, axis=-1, kind="stable")[..., :k]
    kept = np.zeros_like(values)
    np.put_along_axis(kept, order, np.take_along_axis(values, order, -1), -1)
    return kept


ACTIVATIONS = tuple(Activation)
PARTS = ("encoder", "bias", "decoder", "offset")


@dataclass(frozen=True)
class Dictionaries:
    """A dictionary for each of an item's explainer seeds, in their order."""

    fitted: tuple[Dictionary, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the explanation: the parts of each dictionary, and its settings as numbers."""
        found: dict[str, np.ndarray] = {}
        for number, each in enumerate(self.fitted):
            found |= {f"{number}.{part}": getattr(each, part).astype(np.float32) for part in PARTS}
            settings = [ACTIVATIONS.index(each.activation), each.k, each.threshold, each.normalise]
            found[f"{number}.settings"] = np.array(settings, dtype=np.float64)
        return found

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""
        count = len(arrays) // (len(PARTS) + 1)
        names = {f"{number}.{part}" for number in range(count) for part in (*PARTS, "settings")}
        if not count or set(arrays) != names:
            raise InvalidExplanationError(
                "a Dictionaries has the arrays 0.encoder, 0.bias, 0.decoder, 0.offset, 0.settings, 1.encoder and so "
                f"on; found {sorted(arrays)}"
            )
        return cls(tuple(_rebuilt(arrays, number) for number in range(count)))

    def check(self, item: ConceptItem) -> None:
        """Raise InvalidExplanationError unless there is a dictionary of the item's latents for each seed."""
        if len(self.fitted) != len(item.explainer_seeds):
            raise InvalidExplanationError(
                f"one dictionary for each of {len(item.explainer_seeds)} seeds is needed; found {len(self.fitted)}"
            )
        width = item.train.shape[-1]
        for each in self.fitted:
            if each.encoder.shape[0] != width:
                raise InvalidExplanationError(
                    f"Dictionary.encoder must have {width} rows, one for each latent; found {each.encoder.shape[0]}"
                )


def _rebuilt(arrays: Mapping[str, np.ndarray], number: int) -> Dictionary:
    settings = arrays[f"{number}.settings"]
    if settings.shape != (4,) or not np.isfinite(settings).all() or not 0 <= settings[0] < len(ACTIVATIONS):
        raise InvalidExplanationError(f"settings of dictionary {number} are no activation, k, threshold and norm")
    parts = {part: arrays[f"{number}.{part}"] for part in PARTS}
    return Dictionary(
        **parts,
        activation=ACTIVATIONS[int(settings[0])],
        k=int(settings[1]),
        threshold=float(settings[2]),
        normalise=bool(settings[3]),
    )


class ConceptExplainer(ABC):
    """Base class of explainers of the concept track.

    Parameters are dataclass fields (decorate the subclass with `@dataclass`), set from `submission.toml`.
    """

    @abstractmethod
    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's latents. Draw randomness from `seed` alone."""

    def explain(self, model: ConceptModel, item: ConceptItem) -> Dictionaries:
        """A dictionary under each of the item's seeds."""
        return Dictionaries(tuple(self.fit(model, item, seed) for seed in item.explainer_seeds))

    def explain_batch(self, model: ConceptModel, items: Sequence[ConceptItem]) -> list[Dictionaries]:
        """The dictionaries of several items, in their order; override for speed."""
        return [self.explain(model, item) for item in items]


SEEDS = 2**32
"""Seeds that scikit-learn takes."""


@dataclass
class Decomposition(ConceptExplainer):
    """A decomposition in scikit-learn's manner: see `from_attribution`."""

    make: Callable[[int], Any]

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's training frames [n F, D]: its components, both ways along each."""
        frames = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64)
        found = self.make(seed % SEEDS).fit(frames)
        components: np.ndarray = np.asarray(getattr(found, "components_", None), dtype=np.float64)
        if components.ndim != 2 or components.shape[1] != frames.shape[1]:
            raise InvalidExplanationError(
                f"a decomposition must have components_ [C, {frames.shape[1]}] once it is fitted; found "
                f"{list(components.shape)}"
            )
        dual: np.ndarray = np.linalg.pinv(components)
        if hasattr(found, "mixing_"):  # FastICA's components lead to the features; its mixing leads back.
            dual, components = components.T, dual.T
        encoder, decoder = np.concatenate([dual, -dual], 1), np.concatenate([components, -components])
        return Dictionary(encoder, np.zeros(len(decoder)), decoder, frames.mean(0))


def from_attribution(method: Callable[..., Any]) -> ConceptExplainer:
    """An explainer made of a decomposition in scikit-learn's manner, which is what the track explains by.

    `method(seed)`, with a seed below 2^32, gives an object whose `fit(frames)` [n, D] leaves `components_` [C, D]: the
    way back from features to latents (PCA, DictionaryLearning, and NMF of latents that it was given without negative
    values), or, beside `mixing_`, the way to them (FastICA).
    """
    return Decomposition(method)


TRACK = Track(
    name="concept",
    question="Which features of the latents carry pitch, loudness and timbre?",
    item=ConceptItem,
    explanation=Dictionaries,
    explainer=ConceptExplainer,
    model=ConceptModel,
    from_attribution=from_attribution,
    scoring="earwitness.scoring.concept",
)
