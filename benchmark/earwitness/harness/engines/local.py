"""The local engine: threads that drive boxes, spawned processes that score, two side by side."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from earwitness.box.endings import ending
from earwitness.box.orphan import end_with
from earwitness.errors import ITEM_FAILED, EarwitnessError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from earwitness.harness.engines.settings import EngineSettings

WORKERS = 2
"""Boxes, or scoring processes, that are alive at the same time."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Environment of processes that compute: sums have one order, and nobody fights over the cores."""

PATIENCE = 5.0
"""Seconds in which a broken pool's processes have ended."""

J = TypeVar("J")
R = TypeVar("R")


class WorkerError(EarwitnessError):
    """A worker process failed on a job, or died."""

    exit_code = ITEM_FAILED


class WorkerDiedError(WorkerError):
    """A worker process died, with the job that it was at work on or others of its pool."""


class LocalEngine:
    """Runs jobs on this machine."""

    name = "local"
    apart = False

    def __init__(self, workers: int = WORKERS, lanes: int = 1) -> None:
        self.workers, self.lanes = workers, lanes
        self._stop = threading.Event()

    def stopped(self) -> bool:
        """Whether jobs that drive something should end, because the user asked to."""
        return self._stop.is_set()

    def close(self) -> None:
        """Let go of what was started: nothing outlives its call."""

    def drive(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
        """Run light jobs that drive a box each, in threads."""
        pool = ThreadPoolExecutor(self.workers)
        try:
            yield from _as_they_end(pool, function, jobs)
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def compute(
        self, function: Callable[[J], R], jobs: Iterable[J], log: Path, workers: int | None = None
    ) -> Iterator[tuple[J, R | Exception]]:
        """Run heavy jobs in spawned processes of one thread each; what they print goes to `log`.

        Those that a dying process takes with it are tried once more: which of them was its end cannot be told, so
        that those that are lost again are then tried one at a time.
        """
        path, todo = str(touched(log)), list(jobs)
        reported = partial(_reported, function, path)
        with _one_thread():
            for last in (False, True):
                lost = []
                for job, result in _computed(workers or self.workers, reported, todo, path):
                    if isinstance(result, WorkerDiedError) and (not last or len(todo) > 1):
                        lost.append(job)
                    else:
                        yield job, result
                todo = lost
            for job in todo:
                yield from _computed(1, reported, [job], path)


def touched(log: Path) -> Path:
    """The log, which is there and can be written to; raises EarwitnessError."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        raise EarwitnessError(f"cannot write {log}: {error.strerror or error}; name another folder") from error
    return log


def _computed(
    workers: int, function: Callable[[J], R], jobs: Iterable[J], log: str
) -> Iterator[tuple[J, R | Exception]]:
    """Jobs in processes that are gone at the end, whatever the end is."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (log, os.getpid()))
    try:
        yield from _as_they_end(pool, function, jobs)
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _as_they_end(pool: Executor, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
    futures = {pool.submit(function, job): job for job in jobs}
    workers = multiprocessing.active_children()
    for future in as_completed(futures):
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            error = WorkerDiedError(f"a scoring process {_death(workers)}; run the same command to resume")
        if error is not None and not isinstance(error, Exception):
            raise error
        yield futures[future], future.result() if error is None else error


def _death(workers: Sequence[BaseProcess]) -> str:
    """How the worker ended that broke the pool; the pool terminates the others."""
    end = time.monotonic() + PATIENCE
    while any(worker.exitcode is None for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    codes = [worker.exitcode for worker in workers if worker.exitcode is not None]
    return ending(next((code for code in codes if code != -signal.SIGTERM), -signal.SIGTERM)) if codes else "died"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes spawned meanwhile compute with one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_worker(log: str, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.close(descriptor)


def _reported(function: Callable[[J], R], log: str, job: J) -> R:
    """A job whose unforeseen error ends in one line, and in a traceback in the log."""
    try:
        return function(job)
    except EarwitnessError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise WorkerError(f"{one_line(error)} (see {log})") from None


def open_engine(settings: EngineSettings) -> LocalEngine:
    """The engine; workers that are asked for share a run's shards, each with a box of its own."""
    return LocalEngine(settings.workers or WORKERS, settings.workers or 1)
