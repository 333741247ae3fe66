"""Engines: where the harness's jobs run. An engine knows nothing of what a job does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

ENGINES = ("local",)

J = TypeVar("J")
R = TypeVar("R")


class Engine(Protocol):
    """Runs jobs side by side and hands back each with its result, or with the error it ended in, as they end."""

    def stopped(self) -> bool:
        """Whether jobs that drive something should end, because the user asked to."""

    def drive(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
        """Run light jobs that drive a box each."""

    def compute(
        self, function: Callable[[J], R], jobs: Iterable[J], log: Path, workers: int | None = None
    ) -> Iterator[tuple[J, R | Exception]]:
        """Run heavy jobs in worker processes; `function` is a module's, jobs and results are picklable.

        What workers print goes to `log`.
        """


def get(name: str) -> Engine:
    """The engine of that name; raises EarwitnessError where there is none."""
    if name not in ENGINES:
        raise EarwitnessError(f"engine {name!r} is not available in this version; engines: {', '.join(ENGINES)}")
    engine: Engine = import_module(f"{__name__}.{name}").open_engine()
    return engine
