"""Engines: where the harness's jobs run. An engine knows nothing of what a job does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar

from earwitness.errors import EarwitnessError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from earwitness.harness.engines.settings import EngineSettings

ENGINES = ("local", "ray", "slurm")

J = TypeVar("J")
R = TypeVar("R")


class Engine(Protocol):
    """Runs jobs side by side and hands back each with its result, or with the error it ended in, as they end."""

    name: str
    workers: int
    """Jobs that are at work at the same time."""
    lanes: int
    """Boxes that one run may have side by side in this process's reach."""
    apart: bool
    """Whether workers share a disk with this process and nothing else: jobs and results are then texts, which name
    files and items."""

    def stopped(self) -> bool:
        """Whether jobs that drive something should end, because the user asked to."""

    def drive(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
        """Run light jobs that drive a box each, from this process."""

    def compute(
        self, function: Callable[[J], R], jobs: Iterable[J], log: Path, workers: int | None = None
    ) -> Iterator[tuple[J, R | Exception]]:
        """Run heavy jobs in worker processes; `function` is a module's, jobs and results are picklable.

        What workers print goes to `log`. A job whose worker dies is tried once more.
        """

    def close(self) -> None:
        """End what is still at work, and let go of what was started; nothing else."""


def get(name: str, settings: EngineSettings | None = None) -> Engine:
    """The engine of that name; raises EarwitnessError where there is none, or what it needs is not here."""
    if name not in ENGINES:
        raise EarwitnessError(f"no engine is called {name!r}; {nearest(name, ENGINES, 'engines', ENGINES)}")
    if settings is None:
        from earwitness.harness.engines.settings import EngineSettings

        settings = EngineSettings()
    engine: Engine = import_module(f"{__name__}.{name}").open_engine(settings)
    return engine
