"""The plain child process: no isolation, for submissions whose code is trusted."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness import tracks
from earwitness.box import Answer, BoxError, Brief, Cost, Guard, frames
from earwitness.box.endings import ending
from earwitness.errors import EarwitnessError, short
from earwitness.explaining.checkpoints import SCRATCH
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from earwitness.tracks import Item

START_SECONDS = 1200.0
"""Wall seconds in which a box must have loaded its model."""


class ProcessBox:
    """A submission in a child process; the parent trusts nothing that it answers."""

    isolation = "process"
    child = ("-m", "earwitness.box.child")
    """What the interpreter is started with; descriptors and this process's id follow."""

    def __init__(self, brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> None:
        self.device = ""
        self._brief = brief
        self._track = tracks.load(brief.track)
        self._guard = guard
        self._log = log
        self._stopped = stopped
        self._process: subprocess.Popen[bytes] | None = None
        self._read = self._write = -1

    def open(self) -> None:
        """Start the child, load model and submission; raises BoxError."""
        self.close()
        self._start()
        answer = self._ask(frames.pack(self._brief.fields(), {}), START_SECONDS, None)
        if "error" in answer.fields:
            self.close()
            raise BoxError(f"cannot start: {short(str(answer.fields['error']))}")
        self.device = short(str(answer.fields.get("device")))

    def explain(self, items: Sequence[Item]) -> list[Answer]:
        """One answer for each item, in their order; raises BoxError where the child dies, hangs or answers nonsense."""
        if self._process is None:
            # The last child was lost: what it kept would let this one spend the budget again.
            self._forget()
            self.open()
        arrays = {f"{i}/{name}": array for i, item in enumerate(items) for name, array in item.arrays().items()}
        question = frames.pack({"items": [item.fields() for item in items]}, arrays)
        budget = self._guard.seconds * len(items)
        frame = self._ask(question, self._guard.grace + self._guard.patience * budget, self._guard.grace + budget)
        try:
            return self._checked(items, frame)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.close()
            raise BoxError("the explainer's process answered with a frame of the wrong form") from error

    def close(self) -> None:
        """End the child and everything in its session."""
        for descriptor in (self._read, self._write):
            if descriptor >= 0:
                os.close(descriptor)
        self._read = self._write = -1
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _forget(self) -> None:
        if self._brief.scratch:
            shutil.rmtree(self._brief.scratch, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(self._brief.scratch).mkdir()

    def _start(self) -> None:
        child_read, self._write = os.pipe()
        self._read, child_write = os.pipe()
        os.set_blocking(self._write, False)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        # What a submission prints must not fail for the terminal's letters: it goes into a file.
        environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"
        environment[SCRATCH] = self._brief.scratch
        command = [sys.executable, *self.child, str(child_read), str(child_write), str(os.getpid())]
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                    pass_fds=(child_read, child_write), start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(child_read)
            os.close(child_write)

    def _ask(self, question: bytes, wall: float, cpu: float | None) -> frames.Frame:
        assert self._process is not None
        watch = _Watch(self._process.pid, wall, cpu, self._guard.stall)

        def tick() -> None:
            if self._stopped():
                raise KeyboardInterrupt
            watch.check()

        try:
            frames.write(self._write, question, tick)
            return frames.read(self._read, tick)
        except (frames.FrameError, OSError) as error:
            reason = self._death(str(error))
            self.close()
            raise BoxError(reason) from error
        except BaseException:
            self.close()
            raise

    def _death(self, otherwise: str) -> str:
        """Why the child gave no frame: how it ended, if it did."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            return f"the explainer's process gave no answer: {otherwise}"
        return f"the explainer's process {ending(code)}"

    def _checked(self, items: Sequence[Item], frame: frames.Frame) -> list[Answer]:
        found = frame.fields["answers"]
        if [answer["item"] for answer in found] != [item.id for item in items]:
            raise ValueError("answers for other items")
        return [
            self._check(item, i, answer, frame.arrays)
            for i, (item, answer) in enumerate(zip(items, found, strict=True))
        ]

    def _check(self, item: Item, index: int, answer: dict[str, Any], arrays: dict[str, np.ndarray]) -> Answer:
        """One answer, validated again on this side and held against the budget."""
        cost = _cost(answer["cost"])
        status = Status(answer["status"])
        if status != Status.OK:
            return Answer(item.id, status, short(str(answer["reason"])) or "no reason given", cost)
        if excess := self._guard.excess(cost):
            return Answer(item.id, Status.TIMED_OUT, excess, cost)
        prefix = f"{index}/"
        own = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
        try:
            self._track.explanation.build(own).check(item)
        except EarwitnessError as error:
            return Answer(item.id, Status.INVALID, short(str(error)), cost)
        return Answer(item.id, Status.OK, "", cost, own)


class _Watch:
    """Says when a child that gives no answer is given up."""

    def __init__(self, pid: int, wall: float, cpu: float | None, stall: float) -> None:
        self._pid = pid
        self._end = time.monotonic() + wall
        self._cpu = cpu
        self._stall = stall
        self._first = self._last = session_seconds(pid)
        self._moved = self._checked = time.monotonic()

    def check(self) -> None:
        """Raise BoxError where the child is over its time or has stopped working."""
        now = time.monotonic()
        if now > self._end:
            raise BoxError("no answer within the time that the budget allows", Status.TIMED_OUT)
        if now - self._checked < min(2.0, self._stall / 4):
            return
        self._checked = now
        seconds = session_seconds(self._pid)
        if self._first is None or self._last is None or seconds is None:
            return
        if seconds > self._last:
            self._last, self._moved = seconds, now
        if self._cpu is not None and seconds - self._first > self._cpu:
            raise BoxError("no answer within the CPU seconds that the budget allows", Status.TIMED_OUT)
        if self._cpu is not None and now - self._moved > self._stall:
            raise BoxError(f"no answer and no work for {self._stall:g} seconds", Status.TIMED_OUT)


def session_seconds(leader: int) -> float | None:
    """CPU seconds of the running processes of a session; None where the system does not tell."""
    ticks, found = 0, False
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(values[3]) == leader:
            found = True
            # The ticks of ended children stay with their parent, so the sum never falls.
            ticks += sum(int(value) for value in values[11:15])
    return ticks / os.sysconf("SC_CLK_TCK") if found else None


def open_box(brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> ProcessBox:
    """A closed box."""
    return ProcessBox(brief, guard, log, stopped)


def _cost(fields: dict[str, Any]) -> Cost:
    numbers = {name: float(fields[name]) for name in ("seconds", "forwards", "backwards", "peak_bytes")}
    if not all(math.isfinite(number) and number >= 0 for number in numbers.values()):
        raise ValueError("a cost that is no number")
    whole = {name: int(number) for name, number in numbers.items() if name != "seconds"}
    return Cost(seconds=numbers["seconds"], **whole)
