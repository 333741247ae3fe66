"""One process at a time works on a run: another that is started with the same command waits, and says so."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from earwitness.errors import unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from earwitness.harness.recipe import Run

LOCKS = ".locks"
"""Folder beside the runs with a file for each that somebody is at work on."""
POLL = 0.2
"""Seconds between two looks at a lock that another process holds."""


@contextmanager
def locked(runs: Sequence[Run], say: Callable[[str], None]) -> Iterator[None]:
    """Hold the locks of some runs, taken in one order by everybody; the system lets go of those of a killed process.

    Raises EarwitnessError where a lock cannot be written.
    """
    with ExitStack() as held:
        for run in sorted({run.name: run for run in runs}.values(), key=lambda run: str(run.folder)):
            held.enter_context(_lock(run.out / LOCKS / f"{run.name}.lock", run.name, say))
        yield


@contextmanager
def _lock(path: Path, name: str, say: Callable[[str], None]) -> Iterator[None]:
    descriptor = _taken(path, name, say)
    try:
        yield
    finally:
        # Who waits for this file finds that it has gone, and takes another of the name.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
        with suppress(OSError):
            path.parent.rmdir()


def _taken(path: Path, name: str, say: Callable[[str], None]) -> int:
    waited = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its folder was taken away meanwhile
            continue
        except OSError as error:
            raise unwritten(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if not waited:
                say(f"another process is at work on {name}; waiting for it to end")
                waited = True
            time.sleep(POLL)
            continue
        except OSError:  # a file system without locks
            return descriptor
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether a name still is that of an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
