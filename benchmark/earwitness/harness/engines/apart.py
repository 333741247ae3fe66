"""What engines have in common whose workers are elsewhere: jobs are texts, and a lost one is sent once more."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from earwitness.errors import ITEM_FAILED, EarwitnessError
from earwitness.harness.engines.local import LocalEngine, touched
from earwitness.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

J = TypeVar("J")
R = TypeVar("R")
TRIES = 2
"""Of a job whose worker, node or job of the scheduler is lost."""


class LostWorkerError(EarwitnessError):
    """What a job ran on was lost each time."""

    exit_code = ITEM_FAILED


class Pool(Protocol):
    """Workers that were asked for, and are this command's until it lets go of them."""

    def send(self, jobs: dict[int, dict[str, Any]]) -> None:
        """Begin jobs of these numbers, for `at_work`."""

    def ended(self) -> dict[int, dict[str, Any]]:
        """Wait a little, and return what became of the jobs that ended: `done`, `failed` or `lost`, with its text.

        Raises EarwitnessError where all that is at work is lost for good.
        """

    def close(self) -> None:
        """End what is still at work, and let go of what was started, of nothing else."""


class ApartEngine:
    """Runs jobs on workers that share a disk with this process and nothing else."""

    name = "apart"
    lanes = 1
    apart = True

    def __init__(self, workers: int, open_pool: Callable[[Path], Pool]) -> None:
        """`open_pool` starts workers whose log is the file."""
        self.workers = workers
        self._open = open_pool
        self._pool: Pool | None = None
        self._numbers = count()

    def stopped(self) -> bool:
        """Whether jobs should end: never, they are ended from outside."""
        return False

    def drive(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
        """Run light jobs from this process, which has the items then."""
        return LocalEngine(1).drive(function, jobs)

    def compute(
        self, function: Callable[[J], R], jobs: Iterable[J], log: Path, workers: int | None = None
    ) -> Iterator[tuple[J, R | Exception]]:
        """Run jobs, which are texts, by a module's function of a text, on workers; what these print goes to `log`."""
        texts: list[Any] = list(jobs)
        named = {"module": function.__module__, "function": function.__qualname__, "version": VERSION}
        sent = {next(self._numbers): {**named, "text": text, "log": str(touched(log).resolve())} for text in texts}
        names = dict(zip(sent, texts, strict=True))
        tries = Counter(sent.keys())
        pool = self._pool = self._pool or self._open(log)
        try:
            pool.send(sent)
            while names:
                for number, said in pool.ended().items():
                    if "lost" in said and tries[number] < TRIES:
                        tries[number] += 1
                        pool.send({number: sent[number]})
                    elif number in names:
                        yield names.pop(number), _result(said)
        finally:
            if names:
                self.close()

    def close(self) -> None:
        """End what is still at work, and let go of what was started."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


def is_installed(package: str) -> bool:
    """Whether a package is here; a folder of its name, without code, is none."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def _result(said: dict[str, Any]) -> Any:
    if "done" in said:
        return said["done"]
    if "failed" in said:
        return EarwitnessError(said["failed"])
    return LostWorkerError(f"{said['lost']}, {TRIES} times; run the same command to resume")
