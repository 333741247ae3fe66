"""Control groups, where they can be made: root's limit on the threads and the memory of a whole box.

Limits of the resource kind do not bind root in number of threads, and count address space, not memory.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_NUMBER = count()
Files = tuple[tuple[str, str], ...]
V1: dict[str, Files] = {"pids": (("pids.max", "threads"),), "memory": (("memory.limit_in_bytes", "memory"),)}
"""Files of version 1 by controller, each with the limit that it takes."""
V2 = (("pids.max", "threads"), ("memory.max", "memory"), ("memory.swap.max", "swap"))
PATIENCE = 2.0
"""Seconds in which ended processes have left their group."""


class ControlGroup:
    """A group that processes are put into before they run anybody's code."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    def add(self, process: int) -> None:
        """Put a process into the group; what it starts is born there."""
        for folder in self._folders:
            with suppress(OSError):
                (folder / "cgroup.procs").write_text(str(process))

    def close(self) -> None:
        """Take the group away, once its processes have ended."""
        end = time.monotonic() + PATIENCE
        for folder in self._folders:
            while folder.exists():
                with suppress(OSError):
                    folder.rmdir()
                    break
                if time.monotonic() > end:
                    break
                time.sleep(0.02)


def control_group(threads: int, memory: int) -> ControlGroup | None:
    """A group with these limits, `memory` in bytes; None where this user may make none."""
    name = f"earwitness-{os.getpid()}-{next(_NUMBER)}"
    limits = {"threads": threads, "memory": memory, "swap": 0}
    made: list[Path] = []
    for place, files in _places():
        folder = place / name
        try:
            folder.mkdir()
            made.append(folder)
            for file, limit in files:
                if (folder / file).exists() or limit != "swap":
                    (folder / file).write_text(str(limits[limit]))
        except OSError:
            ControlGroup(made).close()
            return None
    return ControlGroup(made) if made else None


def _places() -> list[tuple[Path, Files]]:
    """Folders that groups would be made in: this process's own of version 1, or the root of version 2."""
    if (ROOT / "cgroup.controllers").exists():
        return [(ROOT, V2)]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = {
        controller: path
        for line in lines
        for controller in line.split(":")[1].split(",")
        if (path := line.split(":", 2)[2])
    }
    found: list[tuple[Path, Files]] = [
        (ROOT / name / own[name].lstrip("/"), files) for name, files in V1.items() if name in own
    ]
    return found if len(found) == len(V1) else []
