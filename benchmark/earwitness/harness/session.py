"""What one call that makes runs works with, and what it says of each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from earwitness.errors import EarwitnessError
from earwitness.harness import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.harness.engines import Engine
    from earwitness.harness.explain import Shard
    from earwitness.harness.recipe import Run
    from earwitness.harness.score import Prepared


class Progress(Protocol):
    """Shows how far a stage is."""

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Begin a bar; the function that is returned advances it."""

    def say(self, line: str) -> None:
        """Tell the user something."""


class Silent:
    """Shows nothing."""

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Begin nothing."""
        return lambda _: None

    def say(self, line: str) -> None:
        """Say nothing."""


@dataclass
class RunOutcome:
    """What became of one run."""

    run: Run
    items: int = 0
    failed: int = 0
    """Items without an explanation that could be scored."""
    seconds: float = 0.0
    """CPU seconds of all its explanations."""
    done: bool = False
    begun: bool = True
    """Whether its folder is there; one that could not start leaves none."""
    errors: list[str] = field(default_factory=list)
    """Why parts of it are missing."""
    shared: list[str] = field(default_factory=list)
    """Those of the errors that every run of the task has."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why items failed, with their number."""


@dataclass
class Session:
    """What one call of `execute` works with."""

    engine: Engine
    progress: Progress
    outcomes: dict[str, RunOutcome] = field(default_factory=dict)
    explained: Callable[[Run, Shard], bool] = explain.is_explained
    """Whether a shard of explanations is taken for what it says."""

    def of(self, prepared: dict[str, Prepared]) -> list[RunOutcome]:
        """Outcomes of the runs whose items are known."""
        return [self.outcomes[name] for name in prepared]

    def failed(self, run: Run, error: Exception) -> None:
        """Keep an error of a run; a program's own fault is raised."""
        if not isinstance(error, EarwitnessError):
            raise error
        if str(error) not in self.outcomes[run.name].errors:
            self.outcomes[run.name].errors.append(str(error))
