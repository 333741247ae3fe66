"""The box: what a submission runs in. It is told public things alone and answers with frames of arrays.

A box never holds truth, judge or scoring. `bwrap` and `landlock` keep everything else from the code inside, too;
`process` is a plain child process without isolation, for one's own code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from earwitness.errors import ITEM_FAILED, EarwitnessError
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from earwitness.tracks import Item

LEVELS = ("bwrap", "landlock", "process")
"""Isolation levels, strongest first."""
UNISOLATED = ("process",)
"""Levels that keep nothing from the code they run."""


class BoxError(EarwitnessError):
    """A box could not be opened, or its process died or had to be stopped."""

    exit_code = ITEM_FAILED

    def __init__(self, message: str, status: str = "failed") -> None:
        super().__init__(message)
        self.status = status
        """The `rows.Status` of the items that were in the box."""
        self.seconds = 0.0
        """CPU seconds that the box had used on them."""
        self.killed = False
        """Whether somebody, or the system for want of memory, killed the process."""


@dataclass(frozen=True)
class Brief:
    """All that a box is told before it gets items."""

    track: str
    adapter: str
    """File of `earwitness.models`."""
    source: str
    revision: str
    parameters: dict[str, Any]
    """Passed to the adapter's `from_pretrained`."""
    submission: str
    """Folder of the submission."""
    device: str
    """auto, cpu or cuda; asked of torch in the box."""
    scratch: str = ""
    """Folder in which a submission may keep what it has until its answers are stored; empty for none."""
    redrawn: tuple[str, ...] = ()
    """Submodules of the model whose parameters are drawn anew before the submission sees it: `models.redrawing`."""
    redraw_seed: int = 0
    budget: int = 0
    """On the submission's curve; 0 for the card's own."""
    batch_size: int | None = None
    """Most rows a pass, of what is cut by `explaining.batches`; None for as many as fit."""

    def fields(self) -> dict[str, Any]:
        """The brief as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Guard:
    """What a box may spend on an item, and when a box that gives no answer is stopped."""

    seconds: float
    """CPU seconds an item."""
    forwards: int
    """Forward equivalents an item; a backward counts two."""
    grace: float = 60.0
    """Seconds on top of the budget before a box is stopped."""
    stall: float = 60.0
    """Seconds without any work of its processes after which a box is stopped."""
    patience: float = 10.0
    """Wall seconds granted for each CPU second of the budget."""
    memory: int = 8 << 30
    """Bytes that a box may hold; where a GPU is used its own memory is not limited."""
    threads: int = 256
    storage: int = 1 << 30
    """Bytes that a submission may keep in its scratch folder."""
    files: int = 10_000
    """Files that it may keep there."""
    log: int = 8 << 20
    """Bytes of what it prints that are kept."""

    def excess(self, cost: Cost) -> str:
        """How a cost is over the budget, in words; empty where it is not."""
        if cost.equivalents > self.forwards:
            return f"{cost.equivalents} forward equivalents, over the budget of {self.forwards} an item"
        return f"over the budget of {self.seconds:g} CPU seconds an item" if cost.seconds > self.seconds else ""


@dataclass(frozen=True)
class Cost:
    """What the explanation of one item cost."""

    seconds: float = 0.0
    """CPU seconds of the box."""
    forwards: int = 0
    """Forward passes, in sequences."""
    backwards: int = 0
    peak_bytes: int = 0

    @property
    def equivalents(self) -> int:
        """Forward equivalents: a backward counts two."""
        return self.forwards + 2 * self.backwards


@dataclass(frozen=True)
class Answer:
    """What a box answered for one item."""

    item: str
    status: str
    """A `rows.Status`."""
    reason: str = ""
    cost: Cost = Cost()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """The explanation's arrays; empty unless the status is ok."""


class Box(Protocol):
    """A place where one submission explains items of one task. Used from one thread."""

    isolation: str
    """Label in every row."""
    device: str
    """Device that the model lies on, once opened."""

    def open(self) -> None:
        """Start the box, load model and submission; raises BoxError."""

    def explain(self, items: Sequence[Item]) -> list[Answer]:
        """One answer for each item, in their order.

        Raises BoxError where the box dies, hangs, or answers with something that is no frame; it is closed then and
        may be opened again.
        """

    def close(self) -> None:
        """End the box and everything it started; a closed box may be opened again."""


def seed_of(item: str) -> int:
    """Seed of the global generators while an item is explained: whoever draws from them repeats itself."""
    return derive("box", item)


def create(isolation: str, brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool] = lambda: False) -> Box:
    """A closed box of the given isolation level; what the submission prints goes to `log`.

    `stopped` is asked while waiting: where it is true the wait ends with KeyboardInterrupt. Raises EarwitnessError
    where there is no such level.
    """
    if isolation not in LEVELS:
        raise EarwitnessError(f"no isolation level is called {isolation!r}; levels: {', '.join(LEVELS)}")
    import_module(f"{__name__}.levels").require(isolation)
    box: Box = import_module(f"{__name__}.{isolation}").open_box(brief, guard, log, stopped)
    return box
