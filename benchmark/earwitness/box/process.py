"""The plain child process: no isolation, for submissions whose code is trusted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness import tracks
from earwitness.box import Answer, BoxError, Brief, Cost, Guard, frames, seed_of
from earwitness.box.aliases import aliased
from earwitness.box.endings import ending
from earwitness.box.logs import CappedLog
from earwitness.box.storage import remove
from earwitness.box.wording import unsteered
from earwitness.errors import EarwitnessError, short
from earwitness.explaining.checkpoints import SCRATCH
from earwitness.private import SECRET
from earwitness.results.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from earwitness.tracks import Item

START_SECONDS = 1200.0
"""Wall seconds in which a box must have loaded its model."""
START_CPU_SECONDS = 300.0
"""CPU seconds in which it must have."""
MOST = 2.0**53
"""Of a count that a child tells: rows hold whole numbers, and floating point no larger ones."""


@dataclass(frozen=True)
class Spent:
    """What a box has used since it was started, seen from outside."""

    seconds: float
    """CPU seconds of its processes."""
    peak_bytes: int = 0
    """Most memory that they have held."""


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
        self._output: CappedLog | None = None
        self._base = 0
        self._billed: Spent | None = None
        """What had been used when the last bill was written, or the model loaded."""

    def open(self) -> None:
        """Start the child, load model and submission; raises BoxError."""
        self.close()
        self._start()
        answer = self._ask(frames.pack(self._brief.fields(), {}), START_SECONDS, START_CPU_SECONDS)
        if "error" in answer.fields:
            self.close()
            raise BoxError(f"cannot start: {unsteered(str(answer.fields['error']))}")
        self.device = unsteered(str(answer.fields.get("device")))
        self._billed = self._spent()
        self._base = 0 if self._billed is None else self._billed.peak_bytes

    def explain(self, items: Sequence[Item]) -> list[Answer]:
        """One answer for each item, in their order; raises BoxError where the child dies, hangs or answers nonsense."""
        if self._process is None:
            # The last child was lost: what it kept would let this one spend the budget again.
            self._forget()
            self.open()
        handed = aliased(items)
        arrays = {f"{i}/{name}": array for i, item in enumerate(handed) for name, array in item.arrays().items()}
        seeds = [seed_of(item.id) for item in items]
        question = frames.pack({"items": [item.fields() for item in handed], "seeds": seeds}, arrays)
        budget = self._guard.seconds * len(items)
        frame = self._ask(question, self._guard.grace + self._guard.patience * budget, self._guard.grace + budget)
        try:
            return self._checked(items, handed, frame, self._bill())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
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
        if self._output is not None:
            self._output.close()
            self._output = None

    def _forget(self) -> None:
        if self._brief.scratch:
            remove(Path(self._brief.scratch))
            with contextlib.suppress(OSError):
                Path(self._brief.scratch).mkdir()

    def _start(self) -> None:
        child_read, self._write = os.pipe()
        self._read, child_write = os.pipe()
        os.set_blocking(self._write, False)
        output = self._output = CappedLog(self._log, self._guard.log)
        try:
            self._process = self._launched((child_read, child_write), output.descriptor)
        finally:
            os.close(child_read)
            os.close(child_write)
            output.started()

    def _launched(self, frame_descriptors: tuple[int, int], output: int) -> subprocess.Popen[bytes]:
        """The child's process, in a session of its own; it inherits the descriptors and prints to `output`."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment.pop(SECRET, None)
        # What a submission prints must not fail for the terminal's letters: it goes into a file.
        environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"
        environment[SCRATCH] = self._brief.scratch
        return subprocess.Popen(
            [sys.executable, *self.child, *map(str, frame_descriptors), str(os.getpid())], stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, env=environment, pass_fds=frame_descriptors, start_new_session=True,
        )  # fmt: skip

    def _spent(self) -> Spent | None:
        """What the child has used so far; None where the system does not tell, or it is gone."""
        seconds = None if self._process is None else session_seconds(self._process.pid)
        return None if seconds is None else Spent(seconds)

    def _bill(self) -> Spent | None:
        """What was used since the last bill, in the meantime between questions included."""
        before, self._billed = self._billed, self._spent()
        if before is None or self._billed is None:
            return None
        return Spent(max(0.0, self._billed.seconds - before.seconds), max(0, self._billed.peak_bytes - self._base))

    def _seconds(self) -> float | None:
        spent = self._spent()
        return None if spent is None else spent.seconds

    def _cost(self, told: Cost, used: Spent) -> Cost:
        """The cost of an item, of what the child tells and what was seen; a plain process is trusted to tell."""
        return replace(told, seconds=max(told.seconds, used.seconds))

    def _overspent(self) -> str:
        """What the box may not have that it has, in words; empty where nothing is."""
        return ""

    def _ask(self, question: bytes, wall: float, cpu: float) -> frames.Frame:
        assert self._process is not None
        watch = _Watch(self._seconds, wall, cpu, self._guard.stall)

        def tick() -> None:
            if self._stopped():
                raise KeyboardInterrupt
            if over := self._overspent():
                raise BoxError(over)
            watch.check()

        try:
            frames.write(self._write, question, tick)
            answer = frames.read(self._read, tick)
            if over := self._overspent():
                raise BoxError(over)
            return answer
        except (frames.FrameError, OSError) as error:
            lost = self._death(str(error))
            lost.seconds = watch.used
            self.close()
            raise lost from error
        except BoxError as error:
            error.seconds = watch.used
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def _death(self, otherwise: str) -> BoxError:
        """Why the child gave no frame: how it ended, if it did."""
        assert self._process is not None
        try:
            code = self._exit_code(self._process.wait(timeout=2.0))
        except subprocess.TimeoutExpired:
            return BoxError(f"the explainer's process gave no answer: {otherwise}")
        lost = BoxError(f"the explainer's process {ending(code)}")
        lost.killed = code == -signal.SIGKILL
        return lost

    def _exit_code(self, code: int) -> int:
        """The child's exit code, negative for a signal."""
        return code

    def _checked(
        self, items: Sequence[Item], handed: Sequence[Item], frame: frames.Frame, used: Spent | None
    ) -> list[Answer]:
        """Answers for items that were handed over under other names; what was used is shared evenly."""
        found = frame.fields["answers"]
        if [answer["item"] for answer in found] != [item.id for item in handed]:
            raise ValueError("answers for other items")
        each = Spent(0.0) if used is None else replace(used, seconds=used.seconds / len(items))
        answers = []
        for i, (item, alias, answer) in enumerate(zip(items, handed, found, strict=True)):
            told = {**answer, "reason": str(answer["reason"]).replace(alias.id, item.id)}
            answers.append(self._check(item, i, told, self._cost(_cost(answer["cost"]), each), frame.arrays))
        return answers

    def _check(
        self, item: Item, index: int, answer: dict[str, Any], cost: Cost, arrays: dict[str, np.ndarray]
    ) -> Answer:
        """One answer, validated again on this side and held against the budget."""
        status = Status(answer["status"])
        if status != Status.OK:
            return Answer(item.id, status, unsteered(str(answer["reason"])) or "no reason given", cost)
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

    def __init__(self, clock: Callable[[], float | None], wall: float, cpu: float, stall: float) -> None:
        """`clock` tells the CPU seconds of the child's processes, or None where that is not known."""
        self._clock = clock
        self._end = time.monotonic() + wall
        self._cpu = cpu
        self._stall = stall
        self._first = self._last = clock()
        self._moved = self._checked = time.monotonic()

    @property
    def used(self) -> float:
        """CPU seconds since the watch began, as last seen."""
        return 0.0 if self._first is None or self._last is None else self._last - self._first

    def check(self) -> None:
        """Raise BoxError where the child is over its time or has stopped working."""
        now = time.monotonic()
        if now > self._end:
            raise BoxError("no answer within the time that the budget allows", Status.TIMED_OUT)
        if now - self._checked < min(2.0, self._stall / 4):
            return
        self._checked = now
        seconds = self._clock()
        if self._first is None or self._last is None or seconds is None:
            return
        if seconds > self._last:
            self._last, self._moved = seconds, now
        if seconds - self._first > self._cpu:
            raise BoxError("no answer within the CPU seconds that the budget allows", Status.TIMED_OUT)
        if now - self._moved > self._stall:
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
    if not all(0 <= number <= MOST for number in numbers.values()):
        raise ValueError("a cost that is no number")
    whole = {name: int(number) for name, number in numbers.items() if name != "seconds"}
    return Cost(seconds=numbers["seconds"], **whole)
