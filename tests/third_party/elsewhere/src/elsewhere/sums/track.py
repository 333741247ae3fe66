"""The track: its item, its explanation, its model's interface, its explainer's base class.

Letters of shapes: `B` batch, `N` numbers of an item.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from earwitness.errors import InvalidExplanationError
from earwitness.tracks import Track, attributed, require_real


class SumModel(Protocol):
    """A model that answers a number for some numbers."""

    module: nn.Module
    device: torch.device
    metered: nn.Module

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many items a call of `metered` is worth."""

    def answer(self, numbers: Tensor) -> Tensor:
        """[B] of numbers [B, N]."""


@dataclass(frozen=True)
class SumItem:
    """Some numbers."""

    id: str
    numbers: np.ndarray
    """[N] float32."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""
        return {"numbers": self.numbers}

    def fields(self) -> dict[str, Any]:
        """Its other fields."""
        return {"id": self.id, "title": f"{len(self.numbers)} numbers"}

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again."""
        return cls(fields["id"], arrays["numbers"])


@dataclass(frozen=True)
class Shares:
    """How much each number made of the answer [N]."""

    shares: np.ndarray

    def __post_init__(self) -> None:
        require_real("Shares.shares", self.shares, (1,), "[N]")

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""
        return {"shares": self.shares.astype(np.float32)}

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again."""
        if set(arrays) != {"shares"}:
            raise InvalidExplanationError(f"a Shares has the array shares; found {sorted(arrays)}")
        return cls(**arrays)

    def check(self, item: SumItem) -> None:
        """Raise InvalidExplanationError unless there is a share for each number."""
        if self.shares.shape != item.numbers.shape:
            raise InvalidExplanationError(f"Shares.shares must be {list(item.numbers.shape)}")


class SumExplainer(ABC):
    """Base class of explainers of the track."""

    @abstractmethod
    def explain(self, model: SumModel, item: SumItem) -> Shares:
        """The shares of one item."""

    def explain_batch(self, model: SumModel, items: Sequence[SumItem]) -> list[Shares]:
        """The shares of several items."""
        return [self.explain(model, item) for item in items]


@dataclass
class Attributed(SumExplainer):
    """A method in captum's manner."""

    method: Callable[..., Any]

    def explain(self, model: SumModel, item: SumItem) -> Shares:
        """The shares of one item."""
        return Shares(attributed(self.method, model.answer, torch.as_tensor(item.numbers)[None]))


TRACK = Track(
    name="elsewhere_sums",
    question="Which numbers made the sum?",
    item=SumItem,
    explanation=Shares,
    explainer=SumExplainer,
    model=SumModel,
    from_attribution=Attributed,
    scoring="elsewhere.sums.scored",
)
