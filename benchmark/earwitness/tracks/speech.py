"""The speech track: which part of the spectrogram, and which earlier tokens, made each token of a transcript.

All that a submitter must read. Subclass `SpeechExplainer`, write `explain`, and return a `SpeechMap`:

    class MyExplainer(SpeechExplainer):
        def explain(self, model, item):
            logits = model.logits(features, tokens)
            ...
            return SpeechMap(spectrogram=spectrogram, prefix=prefix)

Letters of shapes: `B` batch, `O` output tokens, `T` spectrogram frames, `M` mel bins, `E` encoder steps, `L` decoder
layers, `H` heads, `V` vocabulary, `D` width, `S` samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from earwitness.errors import InvalidExplanationError
from earwitness.tracks import Track, attributed, in_unit_interval, require_real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn


class Fill(StrEnum):
    """What stands in a cell of the spectrogram that is removed."""

    MEAN = "mean"
    """The utterance's mean of the mel bin: 0 where features are normalised by utterance (SPES, arXiv 2411.01710)."""
    MARGINAL = "marginal"
    """A draw from the values that training speech has in the cell's mel bin."""
    INPAINT = "inpaint"
    """The line between the nearest cells of the mel bin before and after that are left; the nearer end where there is
    but one, and the utterance's mean where there is none."""
    SHUFFLE = "shuffle"
    """Another removed cell's value of the same mel bin, so that each bin keeps its energy whatever is removed."""


class Attention(NamedTuple):
    """Attention after softmax of a teacher-forced pass; row k is the query that predicts token k."""

    cross: Tensor
    """[B, L, H, O, T]: over the spectrogram's frames, an encoder step's share spread evenly over its frames."""
    prefix: Tensor
    """[B, L, H, O, O]: over the tokens before, column j being token j; 0 from the diagonal on. What goes to the
    tokens that open every transcript is left out."""


class SpeechModel(Protocol):
    """A speech-to-text encoder-decoder (Speech2Text, Whisper), for recognition or translation.

    Tokens are those of the transcript alone: what opens and ends every transcript (start, language, task, timestamps,
    end) is the adapter's affair. Rows of a batch have one number of frames T.
    """

    module: nn.Module
    """The underlying torch module (white box)."""
    device: torch.device
    sample_rate: int
    """Hz."""
    frame_rate: float
    """Frames of the spectrogram per second; frame t covers seconds [t, t + 1) / frame_rate."""
    bins: int
    """M."""
    longest: float
    """Seconds of speech that the model takes."""
    metered: nn.Module
    """The module whose passes are the cost: encoder and decoder together."""

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole utterance a call of `metered` with these arguments is worth."""

    def features(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel spectrogram [T, M] of mono audio [S] in [-1, 1], normalised as the model was trained."""

    def encode(self, features: Tensor) -> Tensor:
        """Encoder states [B, E, D] of spectrograms [B, T, M]."""

    def transcribe(self, features: Tensor, beams: int = 5, most: int | None = None) -> list[NDArray[np.int64]]:
        """Tokens [O] of each spectrogram [B, T, M], found by beam search; O is 0 where nothing is said.

        O is at most `most`, where that is given. B may be more than fits into memory at once.
        """

    def logits(self, features: Tensor, tokens: Tensor, prefix_mask: Tensor | None = None) -> Tensor:
        """Logits [B, O, V] of token k after tokens 0 .. k - 1, teacher-forced, differentiable in features and mask.

        `features` [B, T, M] and `tokens` [B, O]; either may have one row, which then serves all: one spectrogram under
        many prefix masks is encoded once. `prefix_mask` [B, O] in [0, 1] multiplies the embedding of each token where
        it is read as context (SPES: 0 removes it); None is all ones.
        """

    def attention(self, features: Tensor, tokens: Tensor) -> Attention:
        """Attention of a teacher-forced pass over features [B, T, M] and tokens [B, O], in the autograd graph."""

    def text(self, tokens: Sequence[int]) -> str:
        """The transcript of tokens [O]."""

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Text of each token."""

    def words(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """[O]: index of the whitespace-separated word of `text(tokens)` that a token belongs to."""


@dataclass(frozen=True)
class SpeechItem:
    """An utterance and what the model made of it."""

    id: str
    explainer_seed: int
    """Seed for whatever is random in the explainer."""
    text: str
    """The model's transcript."""
    pieces: tuple[str, ...]
    """[O] texts of its tokens."""
    features: np.ndarray
    """[T, M] float32: the spectrogram as the model reads it."""
    tokens: np.ndarray
    """[O] int64, O at least 1."""
    words: np.ndarray
    """[O] int64: index of the word that a token belongs to."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the item, by field."""
        return {"features": self.features, "tokens": self.tokens, "words": self.words}

    def fields(self) -> dict[str, Any]:
        """Other fields of the item, as JSON types."""
        return {"id": self.id, "explainer_seed": self.explainer_seed, "text": self.text, "pieces": list(self.pieces)}

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""
        values: dict[str, Any] = {**fields, "pieces": tuple(fields["pieces"]), **arrays}
        return cls(**values)


@dataclass(frozen=True)
class SpeechMap:
    """How much each cell of the spectrogram, and each token before, mattered to each token.

    Raises InvalidExplanationError on creation unless both are finite real arrays in [0, 1] of the right number of axes,
    and no token is explained by itself or by a later one.

    >>> SpeechMap(spectrogram=np.zeros((2, 3, 4)), prefix=np.eye(2))
    Traceback (most recent call last):
    earwitness.errors.InvalidExplanationError: SpeechMap.prefix[k, j] must be 0 for j >= k: a token has no later context
    """

    spectrogram: np.ndarray
    """[O, T, M] in [0, 1]."""
    prefix: np.ndarray
    """[O, O] in [0, 1], row k over the tokens before token k: 0 on and above the diagonal."""

    def __post_init__(self) -> None:
        for name, axes, shape in (("spectrogram", 3, "[O, T, M]"), ("prefix", 2, "[O, O]")):
            array = getattr(self, name)
            require_real(f"SpeechMap.{name}", array, (axes,), shape)
            object.__setattr__(self, name, in_unit_interval(f"SpeechMap.{name}", array))
        if np.triu(self.prefix).any():
            raise InvalidExplanationError("SpeechMap.prefix[k, j] must be 0 for j >= k: a token has no later context")

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the explanation, by field."""
        return {"spectrogram": self.spectrogram.astype(np.float32), "prefix": self.prefix.astype(np.float32)}

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""
        if set(arrays) != {"spectrogram", "prefix"}:
            raise InvalidExplanationError(f"a SpeechMap has the arrays spectrogram and prefix; found {sorted(arrays)}")
        return cls(**arrays)

    def check(self, item: SpeechItem) -> None:
        """Raise InvalidExplanationError unless the map has the item's tokens, frames and mel bins."""
        tokens = len(item.tokens)
        for name, wanted in (("spectrogram", (tokens, *item.features.shape)), ("prefix", (tokens, tokens))):
            found = getattr(self, name).shape
            if found != wanted:
                raise InvalidExplanationError(f"SpeechMap.{name} must be {list(wanted)}; found {list(found)}")


def utterance_mean(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean [M] of each mel bin over the frames of a spectrogram [T, M]: what `Fill.MEAN` puts in a removed cell."""
    return np.asarray(features.mean(0), dtype=np.float32)


def to_unit(scores: np.ndarray) -> np.ndarray:
    """Scores [O, ...] brought to [0, 1] by the least and the largest of each token; 0 where a token's are all equal.

    >>> to_unit(np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0]])).tolist()
    [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]
    """
    axes = tuple(range(1, scores.ndim))
    low, high = scores.min(axes, keepdims=True), scores.max(axes, keepdims=True)
    span = high - low
    return np.asarray(np.where(span > 0, (scores - low) / np.where(span > 0, span, 1), 0.0))


class SpeechExplainer(ABC):
    """Base class of explainers of the speech track.

    Parameters are dataclass fields (decorate the subclass with `@dataclass`), set from `submission.toml`.
    """

    @abstractmethod
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item. Draw randomness from `item.explainer_seed` alone."""

    def explain_batch(self, model: SpeechModel, items: Sequence[SpeechItem]) -> list[SpeechMap]:
        """The maps of several items, in their order; override for speed."""
        return [self.explain(model, item) for item in items]


@dataclass
class AttributedCells(SpeechExplainer):
    """A method in captum's manner, asked how much each cell and each earlier token gave: see `from_attribution`."""

    method: Callable[..., Any]

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item; a token's signed attributions from their least to their largest."""
        import torch

        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        context = torch.ones(tokens.shape, device=model.device)

        def of_token(k: int) -> tuple[np.ndarray, np.ndarray]:
            def chosen(logits: Tensor) -> Tensor:
                return logits[:, k].log_softmax(-1)[:, tokens[0, k]]

            def of_cells(rows: Tensor) -> Tensor:
                return chosen(model.logits(rows, tokens))

            def of_context(masks: Tensor) -> Tensor:
                return chosen(model.logits(features, tokens, masks))

            return attributed(self.method, of_cells, features), attributed(self.method, of_context, context)

        found = [of_token(k) for k in range(len(item.tokens))]
        spectrogram, prefix = np.stack([cells for cells, _ in found]), np.stack([own for _, own in found])
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(np.tril(prefix, -1)), -1))


def from_attribution(method: Callable[..., Any]) -> SpeechExplainer:
    """An explainer made of a method in captum's manner: a class of captum's, or `method(forward, inputs)`.

    It is asked twice for each token of the transcript: about the spectrogram, `inputs` [1, T, M], and about the earlier
    tokens, `inputs` [1, O] of ones that multiply their embeddings. `forward` gives the token's log-probability (nats)
    [B] under rows of either.
    """
    return AttributedCells(method)


TRACK = Track(
    name="speech",
    question="Which part of the sound, and which earlier words, made this word?",
    item=SpeechItem,
    explanation=SpeechMap,
    explainer=SpeechExplainer,
    model=SpeechModel,
    from_attribution=from_attribution,
    scoring="earwitness.scoring.speech",
)
