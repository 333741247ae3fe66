"""Isolation by the kernel alone: Landlock for files, signals and sockets, and a seccomp filter; no helper program."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.box.confined import ConfinedBox, Confinement
from earwitness.box.view import DEVICES, FACTS, PROCESSORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earwitness.box import Brief, Guard


class Landlock:
    """Rules of the kernel for one process."""

    name = "landlock"

    def wrapped(self, confinement: Confinement, command: Sequence[str]) -> list[str]:
        """The command itself: it confines itself before it becomes another."""
        return list(command)

    def restrictions(self, confinement: Confinement) -> dict[str, Any]:
        """The paths that the process may reach."""
        readable, listable = confinement.view.readable()
        written = [place for place in (confinement.home, confinement.scratch) if place is not None]
        return {
            # Without a namespace of its own all of this user's threads count.
            "threads": confinement.guard.threads + threads_of(os.getuid()),
            "parent": os.getpid(),
            "readable": [*map(str, readable), PROCESSORS, *FACTS],
            "listable": [str(path) for path in listable],
            "writable": [str(path) for path in written],
            "devices": [*DEVICES, *(str(path) for path in confinement.view.gpus)],
        }

    def home(self, confinement: Confinement) -> str:
        """The folder for temporary files."""
        return str(confinement.home)

    def code(self, code: int) -> int:
        """The exit code, as it is."""
        return code


def threads_of(user: int) -> int:
    """Threads of all processes of a user."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):
            found += len(list(path.iterdir())) if path.stat().st_uid == user else 0
    return found


LEVEL = Landlock()


def open_box(brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> ConfinedBox:
    """A closed box."""
    return ConfinedBox(LEVEL, brief, guard, log, stopped)
