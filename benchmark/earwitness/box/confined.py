"""What the levels that confine have in common: `confine.py` inside, limits around it, and costs read from outside."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from earwitness.box import BoxError, Cost, Guard, confine, syscalls
from earwitness.box.cgroups import ControlGroup, control_group
from earwitness.box.process import ProcessBox, Spent
from earwitness.box.storage import overfull, remove
from earwitness.box.view import View, environment, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earwitness.box import Brief

ADDRESS_SPACE = 2 << 30
"""Bytes of address space beside what a box may hold: libraries, and room that is reserved and never touched."""
DESCRIPTORS = 512


@dataclass(frozen=True)
class Confinement:
    """How one process is confined."""

    view: View
    guard: Guard
    home: Path
    """Folder for temporary files, for levels that bring none."""
    scratch: Path | None

    def config(self, command: Sequence[str], home: str, group: bool) -> dict[str, Any]:
        """What `confine.py` is told, but for paths; `group` says that a control group counts threads and memory."""
        limits = {"CORE": 0, "NOFILE": DESCRIPTORS, "FSIZE": self.guard.storage, "MEMLOCK": 0}
        if not self.view.gpus:
            # A GPU's driver reserves far more addresses than anybody has memory.
            limits["AS"] = self.guard.memory + ADDRESS_SPACE
        return {
            "command": list(command),
            "environment": environment(self.view, home, str(self.scratch or "")),
            "limits": limits,
            "threads": None if group else self.guard.threads,
            "capabilities": "none",
            "filter": base64.b64encode(syscalls.program()).decode(),
        }


class Level(Protocol):
    """A way to confine a process."""

    name: str

    def wrapped(self, confinement: Confinement, command: Sequence[str]) -> list[str]:
        """The command that runs another one confined."""

    def restrictions(self, confinement: Confinement) -> dict[str, Any]:
        """What of the level `confine.py` does, from inside."""

    def home(self, confinement: Confinement) -> str:
        """The folder for temporary files, as it is called inside."""

    def code(self, code: int) -> int:
        """The exit code of the process inside, negative for a signal, from that of the wrapped command."""


class ConfinedBox(ProcessBox):
    """A submission in one process that can reach what its view holds and nothing else."""

    def __init__(self, level: Level, brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> None:
        gpu = brief.device != "cpu" and bool(list(Path("/dev").glob("nvidia[0-9]*")))
        # Relative paths are this process's own.
        source = str(Path(brief.source).resolve()) if os.path.exists(brief.source) else brief.source
        brief = replace(brief, source=source, submission=str(Path(brief.submission).resolve()))
        super().__init__(brief, guard, log, stopped)
        self.isolation = level.name
        self._level = level
        self._view = view_of(brief, gpu)
        self._home: Path | None = None
        self._group: ControlGroup | None = None
        self._process_inside = 0

    def open(self) -> None:
        """Start the child, load model and submission; raises BoxError."""
        super().open()
        assert self._process is not None
        self._process_inside = innermost(self._process.pid)
        self._billed = self._spent()
        self._base = self._peak()

    def close(self) -> None:
        """End the child and all that it left."""
        super().close()
        self._process_inside = 0
        if self._group is not None:
            self._group.close()
            self._group = None
        if self._home is not None:
            remove(self._home)
            self._home = None

    def _launched(self, frame_descriptors: tuple[int, int], output: int) -> subprocess.Popen[bytes]:
        scratch = Path(self._brief.scratch).resolve() if self._brief.scratch else None
        # Beside the scratch folder, so that what a killed run leaves goes with it.
        self._home = Path(tempfile.mkdtemp(prefix="box-", dir=scratch.parent if scratch else None))
        confinement = Confinement(self._view, self._guard, self._home, scratch)
        self._group = control_group(self._guard.threads, self._guard.memory)
        child = [sys.executable, *self.child, *map(str, frame_descriptors), "0"]
        return launch(self._level, confinement, child, self._group, frame_descriptors, output)

    def _exit_code(self, code: int) -> int:
        return self._level.code(code)

    def _spent(self) -> Spent | None:
        if self._process is None:
            return None
        try:
            seconds = cpu_seconds(self._process_inside or innermost(self._process.pid))
        except OSError:
            return None
        return Spent(seconds, self._peak())

    def _bill(self) -> Spent:
        """What was used since the last bill; raises BoxError where the process left before it could be read."""
        used = super()._bill()
        if used is None:
            self.close()
            raise BoxError("the explainer's process ended as it answered, so that what it used cannot be told")
        return used

    def _peak(self) -> int:
        with suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{self._process_inside}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def _cost(self, told: Cost, used: Spent) -> Cost:
        """Seconds and memory as they were seen from here; passes of the model are what the inside tells."""
        return replace(told, seconds=used.seconds, peak_bytes=used.peak_bytes)

    def _overspent(self) -> str:
        places = [Path(place) for place in (self._home, self._brief.scratch) if place]
        over = overfull(places, self._guard.storage, self._guard.files)
        return over and f"the explainer's process {over}"


def launch(
    level: Level,
    confinement: Confinement,
    command: Sequence[str],
    group: ControlGroup | None,
    descriptors: Sequence[int],
    output: int,
) -> subprocess.Popen[bytes]:
    """Start a command at a level, and let it run once it is in its control group."""
    read, write = os.pipe()
    inner = [sys.executable, "-I", "-S", str(Path(confine.__file__).resolve()), str(read)]
    try:
        process = subprocess.Popen(
            level.wrapped(confinement, inner), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={},
            pass_fds=(*descriptors, read), start_new_session=True,
        )  # fmt: skip
    except OSError:
        os.close(write)
        raise
    finally:
        os.close(read)
    with os.fdopen(write, "wb") as file, suppress(BrokenPipeError):
        if group is not None:
            for each in family(process.pid):
                group.add(each)
        config = {
            **confinement.config(command, level.home(confinement), group is not None),
            **level.restrictions(confinement),
        }
        file.write(json.dumps(config).encode())
    return process


def cpu_seconds(process: int) -> float:
    """CPU seconds of a process, its threads included, to the nanosecond; raises OSError where there is none.

    Source: clock_getcpuclockid(3), of which this is what the C library computes.
    """
    return time.clock_gettime((~process << 3) | 2)


def family(process: int) -> list[int]:
    """A process and its descendants, from the outermost in."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [process]
    for each in found:
        found.extend(children.get(each, []))
    return found


def innermost(process: int) -> int:
    """The last descendant of a process: the one that runs a submission's code."""
    return family(process)[-1]
