"""The prompt track: which words of a prompt made which part of the generated sound.

All that a submitter must read. Subclass `PromptExplainer`, write `explain`, and return a `TokenMap`:

    class MyExplainer(PromptExplainer):
        def explain(self, model, item):
            text = model.encode([item.prompt])
            ...
            return TokenMap(weights=weights)

Letters of shapes: `B` batch, `N` prompt tokens, `F` audio frames, `K` codebooks, `V` codebook size, `L` decoder
layers, `H` heads, `D` width, `S` samples, `T = F + K - 1` decoding steps (the delay pattern).
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
    from torch import Tensor, nn


class Removal(StrEnum):
    """What happens to a token whose mask is below 1, in the cross-attention of every layer and head.

    With a the post-softmax attention, m the mask, v the values and v0 a reference value:
    """

    SCALE = "scale"
    """sum (a m) v: attention is scaled (AudioGenX, arXiv 2502.00459, as released)."""
    RENORMALISE = "renormalise"
    """sum (a m) v / sum (a m): what is left of the attention is scaled up again."""
    NULL = "null"
    """sum a (m v + (1 - m) v0), v0 the value of the null state (all zeros, as the unconditional branch has it)."""
    MEAN = "mean"
    """sum a (m v + (1 - m) v0), v0 the value of the mean state of the prompt's tokens."""


class Encoded(NamedTuple):
    """Encoded prompts."""

    states: Tensor
    """[B, N, D] the text encoder's states, projected to the decoder's width."""
    mask: Tensor
    """[B, N] bool, True on the prompt's own tokens, False on padding."""


class TeacherForced(NamedTuple):
    """What one teacher-forced pass of the conditional branch computed, all of it in the autograd graph."""

    hidden: Tensor
    """[B, F, D] final hidden states; frame f is decoding step f."""
    logits: Tensor
    """[B, K, F, V] logits of codebook k at frame f (read at decoding step f + k)."""
    attentions: tuple[Tensor, ...]
    """L tensors [B, H, T, N]: cross-attention after softmax and before the removal operator; empty unless asked for."""


class PromptModel(Protocol):
    """A text-to-audio model, autoregressive over codec tokens (MusicGen, AudioGen).

    A `token_mask` is [B, N] or [B, F, N] in [0, 1]; None is all ones. It applies the removal operator to
    cross-attention in every layer and head, on the conditional half of classifier-free guidance only. Step f of
    decoding uses row f of a framewise mask, and the last row from F on.
    """

    module: nn.Module
    """The underlying torch module (white box)."""
    device: torch.device
    sample_rate: int
    """Hz."""
    frame_rate: float
    """Frames per second."""
    codebooks: int
    """K."""
    frames: int
    """F of a generation of the length that the model was loaded for."""
    metered: nn.Module
    """The module whose passes are the cost: the decoder."""
    guidance: float
    """Scale of classifier-free guidance: null + guidance * (conditional - null)."""

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole sequence a call of `metered` with these arguments is worth."""

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        """Texts of each prompt's tokens, special ones included, padding not."""

    def special(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] bool for each prompt, True where a token is no part of the text (end of sequence)."""

    def words(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] int for each prompt: index of the whitespace-separated word that a token belongs to, -1 where special."""

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """States [B, N, D] and mask [B, N] of prompts, padded to the longest."""

    def generate(
        self,
        text: Encoded,
        seed: int | Sequence[int],
        token_mask: Tensor | None = None,
        removal: Removal = Removal.SCALE,
    ) -> tuple[Tensor, Tensor]:
        """Codes [B, K, F] and audio [B, S], sampled with Gumbel noise fixed by (seed, step, codebook) alone.

        The same seed gives the same noise whatever the mask and whatever stands beside it in the batch.
        """

    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, S] of codes [B, K, F]."""

    def hidden(
        self, codes: Tensor, text: Encoded, token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> Tensor:
        """Final hidden states [B, F, D] of the conditional branch, teacher-forced."""

    def logits(
        self, codes: Tensor, text: Encoded, token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> Tensor:
        """Logits [B, K, F, V] of the conditional branch, teacher-forced."""

    def null_logits(self, codes: Tensor) -> Tensor:
        """Logits [B, K, F, V] of the unconditional branch, teacher-forced: no mask changes them."""

    def guided(self, logits: Tensor, null_logits: Tensor) -> Tensor:
        """Logits that are sampled from: guidance and temperature applied."""

    def cross_attention(self, codes: Tensor, text: Encoded) -> Tensor:
        """Cross-attention [B, L, H, F, N] after softmax, teacher-forced."""

    def teacher_forced(
        self,
        codes: Tensor,
        text: Encoded,
        token_mask: Tensor | None = None,
        removal: Removal = Removal.SCALE,
        attentions: bool = False,
    ) -> TeacherForced:
        """Hidden states, logits and, if asked for, attention of one teacher-forced pass, differentiable throughout."""


@dataclass(frozen=True)
class PromptItem:
    """A prompt and the sound that was generated from it."""

    id: str
    prompt: str
    seed: int
    """Generation seed: `model.generate(model.encode([prompt]), seed)` made the codes."""
    explainer_seed: int
    """Seed for whatever is random in the explainer."""
    codes: np.ndarray
    """[K, F] int64: the sound to be explained."""
    tokens: tuple[str, ...]
    """[N] texts of the prompt's tokens."""
    special: np.ndarray
    """[N] bool: True where a token is no part of the text."""
    frames: tuple[int, int] | None = None
    """First frame that is asked about, and the one after the last; None: all of the sound.

    What an explanation says of these frames is the mean of their rows (interval-focused importance, AudioGenX, arXiv
    2502.00459), and a map without rows is taken to speak of them.
    """

    @property
    def asked(self) -> slice:
        """The frames that are asked about."""
        return slice(*(self.frames or (0, self.codes.shape[1])))

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the item, by field."""
        return {"codes": self.codes, "special": self.special}

    def fields(self) -> dict[str, Any]:
        """Other fields of the item, as JSON types."""
        return {
            "id": self.id,
            "prompt": self.prompt,
            "seed": self.seed,
            "explainer_seed": self.explainer_seed,
            "tokens": list(self.tokens),
            "frames": None if self.frames is None else list(self.frames),
        }

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""
        values: dict[str, Any] = {**fields, "tokens": tuple(fields["tokens"]), **arrays}
        if values.get("frames") is not None:
            values["frames"] = tuple(values["frames"])
        return cls(**values)


@dataclass(frozen=True)
class TokenMap:
    """How much each prompt token mattered to each frame.

    Raises InvalidExplanationError on creation unless `weights` is a finite real array [F, N] (or [N], repeated over
    frames by `check`) in [0, 1].

    >>> TokenMap(weights=np.array([[0.0, 2.0]]))
    Traceback (most recent call last):
    earwitness.errors.InvalidExplanationError: TokenMap.weights must lie in [0, 1]; found 0 to 2
    """

    weights: np.ndarray
    """[F, N] or [N] in [0, 1]."""
    order: np.ndarray | None = None
    """Same shape, any finite values: breaks ties between equal weights (the logits, where weights saturate)."""

    def __post_init__(self) -> None:
        require_real("TokenMap.weights", self.weights, (1, 2), "[F, N] or [N]")
        object.__setattr__(self, "weights", in_unit_interval("TokenMap.weights", self.weights))
        if self.order is not None:
            require_real("TokenMap.order", self.order, (1, 2), "[F, N] or [N]")
            if self.order.shape != self.weights.shape:
                raise InvalidExplanationError(
                    f"TokenMap.order must have the shape of weights {self.weights.shape}; found {self.order.shape}"
                )

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays of the explanation, by field."""
        arrays = {"weights": self.weights.astype(np.float32)}
        return arrays if self.order is None else {**arrays, "order": self.order.astype(np.float32)}

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""
        unknown = sorted(set(arrays) - {"weights", "order"})
        if unknown or "weights" not in arrays:
            raise InvalidExplanationError(f"a TokenMap has the arrays weights and order; found {sorted(arrays)}")
        return cls(**arrays)

    def check(self, item: PromptItem) -> None:
        """Raise InvalidExplanationError unless the map has the item's frames and tokens."""
        frames, tokens = item.codes.shape[1], len(item.tokens)
        if self.weights.shape not in {(tokens,), (frames, tokens)}:
            raise InvalidExplanationError(
                f"TokenMap.weights must be [F, N] = [{frames}, {tokens}] or [N] = [{tokens}]; "
                f"found {list(self.weights.shape)}"
            )

    def framewise(self, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights and tie-breaking order, both [F, N] float64."""
        weights = self.weights.astype(np.float64)
        order = weights if self.order is None else self.order.astype(np.float64)
        shape = (frames, weights.shape[-1])
        return np.broadcast_to(weights, shape), np.broadcast_to(order, shape)

    def asked(self, item: PromptItem) -> tuple[np.ndarray, np.ndarray]:
        """Weights and tie-breaking order, both [F, N] float64: as they are, or what they say of the frames asked for.

        Where an item asks for some of its frames, every row is the mean over these.
        """
        found = self.framewise(item.codes.shape[1])
        if item.frames is None:
            return found
        weights, order = (np.broadcast_to(rows[item.asked].mean(axis=0), rows.shape) for rows in found)
        return weights, order


def log_likelihood(logits: Tensor, codes: Tensor) -> Tensor:
    """Log-likelihood [B, F] (nats) of codes [B, K, F] under logits [B, K, F, V], summed over codebooks."""
    return logits.log_softmax(-1).gather(-1, codes[..., None])[..., 0].sum(1)


def without_special(items: Sequence[PromptItem], states: Tensor) -> Tensor:
    """Token mask [B, N] that removes the special tokens, whose states carry the whole prompt."""
    mask = states.new_zeros(states.shape[:2])
    for row, item in zip(mask, items, strict=True):
        row[: len(item.tokens)] = states.new_tensor(~item.special)
    return mask


class PromptExplainer(ABC):
    """Base class of explainers of the prompt track.

    Parameters are dataclass fields (decorate the subclass with `@dataclass`), set from `submission.toml`.
    """

    @abstractmethod
    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item. Draw randomness from `item.explainer_seed` alone."""

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps of several items, in their order; override for speed."""
        return [self.explain(model, item) for item in items]


@dataclass
class AttributedTokens(PromptExplainer):
    """A method in captum's manner, asked how much each token gave to each frame: see `from_attribution`."""

    method: Callable[..., Any]

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item: the positive part over its largest; signed attributions break ties."""
        import torch

        text = model.encode([item.prompt])
        codes = torch.as_tensor(item.codes, device=text.states.device)[None]
        kept = without_special([item], text.states)[:, None].repeat(1, codes.shape[-1], 1)

        def forward(mask: Tensor) -> Tensor:
            rows = len(mask)
            states = Encoded(text.states.expand(rows, -1, -1), text.mask.expand(rows, -1))
            logits = model.logits(codes.expand(rows, -1, -1), states, mask)
            return log_likelihood(logits, codes.expand(rows, -1, -1))[:, item.asked].sum(-1)

        scores = np.where(item.special, 0.0, attributed(self.method, forward, kept)[:, : len(item.tokens)])
        positive = scores.clip(min=0)
        return TokenMap(weights=positive / max(float(positive.max()), np.finfo(np.float64).tiny), order=scores)


def from_attribution(method: Callable[..., Any]) -> PromptExplainer:
    """An explainer made of a method in captum's manner: a class of captum's, or `method(forward, inputs)`.

    `inputs` [1, F, N] are the weights of the prompt's tokens in each frame, 1 on those of the text and 0 on special
    ones; `forward` gives the log-likelihood (nats) [B] of the item's codes under weights [B, F, N]. A token's weight in
    a frame is its attribution's positive part.
    """
    return AttributedTokens(method)


TRACK = Track(
    name="prompt",
    question="Which words made which part of the sound?",
    item=PromptItem,
    explanation=TokenMap,
    explainer=PromptExplainer,
    model=PromptModel,
    from_attribution=from_attribution,
    scoring="earwitness.scoring.prompt",
)
