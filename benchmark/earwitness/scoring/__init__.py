"""Scoring: one package per track, and the only stage that holds truth, judges and metrics.

A track's package has a file `scoring`, whose `open_scoring(setting)` returns its `Scoring`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from earwitness import tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.task import Task
    from earwitness.tracks import Explanation, Item


@dataclass(frozen=True)
class Value:
    """What a metric gave for one item under one generation seed."""

    metric: str
    """Id of the metric in the task card: `fid_f@top30`."""
    generation_seed: int
    value: float | None
    status: str
    """A `rows.Status`: everything but `ok` has no value and carries a reason."""
    reason: str = ""


@dataclass(frozen=True)
class Problem:
    """An item of the dataset that cannot be explained, and why, in one line."""

    item: str
    reason: str


@dataclass(frozen=True)
class Setting:
    """What a scoring is opened for."""

    task: Task
    items: int | None = None
    """How many of the task's items, from the first; None for all."""
    seed: int = 0
    """`--seed`: added to the generation seeds and handed to the explainers' seeds."""
    fresh: int | None = None
    """`--fresh`: seed of a made world that draws other items than the card's; their stored truth is unknown."""
    device: str = "cpu"
    cache: Path = field(default=Path("runs/.originals"))
    """Folder under which originals are kept, by task hash, seed and fresh."""


class Scoring(Protocol):
    """Items, and the metrics of explanations of them."""

    def items(self, ids: Sequence[str] | None = None) -> tuple[list[Item], list[Problem]]:
        """Public items in the dataset's order, and those that cannot be explained; of the given ids, if given."""

    def seeded(self, item: Item, seed: int) -> Item:
        """An item as an explainer gets it under the explainer seed of that number, 0 being that of `items`."""

    def clusters(self) -> dict[str, str]:
        """Cluster of each item, by item id, items with a problem included."""

    def score(self, pairs: Sequence[tuple[Item, Explanation]], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs in the same order give the same bits.

        Leaves what people see and hear of each explanation under `exhibits`, where given, with a manifest of each item
        (see `earwitness.exhibits.manifest`): the values are the same either way.
        """


def load(setting: Setting) -> Scoring:
    """The scoring of the task's track; raises EarwitnessError where model, judge or dataset cannot be read.

    What the card hands to model and dataset is checked first: a fault in it must not cost what comes before.
    """
    import_module(f"{__name__}.loading").check_parameters(setting.task)
    scoring: Scoring = import_module(f"{tracks.load(setting.task.card.track).scoring}.scoring").open_scoring(setting)
    return scoring
