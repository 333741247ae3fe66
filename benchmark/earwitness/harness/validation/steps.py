"""What a suite of checks is made of: steps, one after the other, and the report of what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from earwitness.errors import EarwitnessError, one_line
from earwitness.harness.validation.pace import LONG, took
from earwitness.harness.validation.pace import Say as Say


@dataclass(frozen=True)
class Options:
    """What a suite is told beside what it checks."""

    source: str = ""
    """Hub id, folder or task that weights or data are read from."""
    track: str = ""
    device: str = "cpu"


class ReportNote(str):
    """A line that says nothing is wrong: what something was tried on, how long it takes."""

    __slots__ = ()


@dataclass(frozen=True)
class Step:
    """One thing that is checked."""

    label: str
    run: Callable[[], Iterable[str]]
    """Gives a line for each thing that is wrong, and a `ReportNote` for each that is to be told."""
    ahead: float = 0.0
    """How many times as long as this step all that follow last; 0 where it tells nothing of them."""
    trusted: bool = False
    """Whether it runs no code of what is checked: what it raises is raised."""


@dataclass(frozen=True)
class Report:
    """What is wrong with something."""

    kind: str
    name: str
    findings: tuple[str, ...]
    """One line each."""
    checked: tuple[str, ...]
    """What was looked at."""
    unchecked: tuple[str, ...] = ()
    """What was not, because it rests on what is wrong."""
    notes: tuple[str, ...] = ()
    """What was measured, and what could not be tried."""
    seconds: tuple[float, ...] = ()
    """That each of `checked` took."""
    log: str = ""
    """Last lines of what it printed."""

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def report(kind: str, name: str, steps: Sequence[Step], say: Say) -> Report:
    """Take the steps until one finds something, for what follows rests on it.

    What a step raises is a finding too: it is somebody else's code that is looked at.
    """
    say(f"{kind} {name}: {len(steps)} checks; each is named as it begins, and a long one says how long it takes")
    notes: list[str] = []
    seconds: list[float] = []
    for number, step in enumerate(steps, 1):
        say(f"[{number}/{len(steps)}] {step.label}")
        begun = monotonic()
        found = _lines(step, notes)
        seconds.append(monotonic() - begun)
        if found:
            done, left = steps[:number], steps[number:]
            return Report(kind, name, tuple(found), _labels(done), _labels(left), tuple(notes), tuple(seconds))
        if seconds[-1] >= LONG:
            say(took(seconds[-1], step.ahead * seconds[-1]))
    return Report(kind, name, (), _labels(steps), (), tuple(notes), tuple(seconds))


def _labels(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.label for step in steps)


def _lines(step: Step, notes: list[str]) -> list[str]:
    """What a step finds; what it notes is appended to `notes`."""
    found: list[str] = []
    try:
        for line in step.run():
            (notes if isinstance(line, ReportNote) else found).append(line)
    except EarwitnessError as error:
        if step.trusted:
            raise
        found.append(one_line(error))
    except (Exception, SystemExit) as error:
        found.append(f"{step.label}: it raises {one_line(error)}")
    return found
