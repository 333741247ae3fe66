"""What a board's owner says of entrants and tasks: withdrawn, superseded or corrected, on a day, for a reason.

It stands in one small file that the owner keeps under review (docs/hosting.md), and on the board for as long as it
stands there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from earwitness.errors import EarwitnessError, InvalidCardError, nearest
from earwitness.submission_card import Day
from earwitness.task import Card, Id, Text, read_card

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

Record = dict[str, Any]
WITHDRAWN, SUPERSEDED, CORRECTED = "withdrawn", "superseded", "corrected"
LEAVING = (WITHDRAWN, SUPERSEDED)
"""What becomes of an entrant whose rows leave the ranks."""


class BoardNotice(Card):
    """One thing that an owner says of an entrant, of a task, or of an entrant on a task."""

    kind: Annotated[str, Field(pattern=f"^({WITHDRAWN}|{SUPERSEDED}|{CORRECTED})$")]
    entrant: Id = ""
    submission_hash: str = Field(pattern=r"^([0-9a-f]{16})?$", default="")
    """One version of the entrant; all of them where it is empty."""
    task: Id = ""
    task_version: int | None = Field(ge=1, le=10**6, default=None)
    """One version of the task; all of them where it is not there."""
    by: Id = ""
    """What supersedes it: an entrant, or a task where none is named."""
    date: Day
    reason: Text

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.entrant and not self.task:
            raise ValueError("names neither an entrant nor a task; name one")
        if self.submission_hash and not self.entrant:
            raise ValueError("submission_hash is a version of an entrant; name the entrant, too")
        if self.task_version is not None and not self.task:
            raise ValueError("task_version is a version of a task; name the task, too")
        if bool(self.by) != (self.kind == SUPERSEDED):
            raise ValueError("`by` names what supersedes, and stands in a notice of that kind alone")
        version = self.submission_hash if self.entrant else self.task_version
        if self.by and self.by == (self.entrant or self.task) and not version:
            raise ValueError(f"{self.by} cannot supersede itself; name the version that it supersedes")
        return self

    @property
    def target(self) -> str:
        """What it is of, in words."""
        entrant = f"{self.entrant} {self.submission_hash[:6]}".strip()
        task = f"{self.task} {self.task_version or ''}".strip()
        return f"{entrant} on {task}" if entrant and task else entrant or task

    @property
    def leaves(self) -> bool:
        """Whether rows that it covers leave the ranks: a superseded task keeps a ranking of its own."""
        return self.kind == WITHDRAWN or (self.kind == SUPERSEDED and bool(self.entrant))

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is of what it names: by `submission`, `submission_hash`, `task` and `task_version`."""
        named = {"submission": self.entrant, "submission_hash": self.submission_hash, "task": self.task}
        same = all(not wanted or row[column] == wanted for column, wanted in named.items())
        return same and self.task_version in (None, row["task_version"])

    def record(self) -> Record:
        """The row of the table `notices`."""
        return {**self.model_dump(exclude={"by"}), "successor": self.by}


class BoardNotices(Card):
    """An owner's file."""

    tries_a_month: int | None = Field(ge=1, le=1000, default=None)
    """Versions of an author's entrants that are ranked on a task in a calendar month; without it there is no limit."""
    notices: tuple[BoardNotice, ...] = ()

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        found = Counter(
            (n.entrant, n.submission_hash, n.task, n.task_version) for n in self.notices if n.kind in LEAVING
        )
        twice = next((n for n in self.notices if found[n.entrant, n.submission_hash, n.task, n.task_version] > 1), None)
        if twice is not None:
            raise ValueError(f"{twice.target} is withdrawn or superseded twice; keep one of the notices")
        successors = {n.entrant: n.by for n in self.notices if n.by and not (n.submission_hash or n.task)}
        for start in successors:
            name, seen = start, {start}
            while (name := successors.get(name, "")) and name not in seen:
                seen.add(name)
            if name:
                raise ValueError(f"{start} is superseded in a circle; leave one of the notices out")
        return self


@dataclass(frozen=True)
class KnownNames:
    """What a notice may be of: what has rows, or had some on this board, or is registered."""

    entrants: Mapping[str, set[str]]
    """Hashes of their versions, by id."""
    tasks: Mapping[str, set[int]]
    """Versions, by id."""


def read_notices(path: Path, on: date) -> BoardNotices:
    """An owner's file, as it is on a day; raises InvalidCardError, in one line, where it cannot be read or says what
    cannot be."""
    found: BoardNotices = read_card(path, BoardNotices)
    ahead = next((notice for notice in found.notices if notice.date > on.isoformat()), None)
    if ahead is not None:
        raise InvalidCardError(f"{path}: the notice of {ahead.target} is of {ahead.date}, which lies ahead")
    return found


def refuse_unknown(notices: BoardNotices, known: KnownNames) -> None:
    """Raise EarwitnessError, in one line, where a notice names an entrant, a task or a version that is not there."""
    for notice in notices.notices:
        where = f"the notice of {notice.target}, {notice.kind} on {notice.date}, names"
        of_tasks = not notice.entrant
        for name, names, what in (
            (notice.entrant, known.entrants, "entrant"),
            (notice.task, known.tasks, "task"),
            (notice.by, known.tasks if of_tasks else known.entrants, "task" if of_tasks else "entrant"),
        ):
            if name and name not in names:
                raise EarwitnessError(
                    f"{where} {name!r}, and no {what} is called so; {nearest(name, names, f'{what}s')}"
                )
        if notice.submission_hash and notice.submission_hash not in known.entrants[notice.entrant]:
            raise EarwitnessError(f"{where} a version that is not there; {_versions(known.entrants[notice.entrant])}")
        if notice.task_version and notice.task_version not in known.tasks[notice.task]:
            raise EarwitnessError(f"{where} a version that is not there; {_versions(known.tasks[notice.task])}")


def _versions(found: set[str] | set[int]) -> str:
    return f"versions: {', '.join(sorted(map(str, found)))}"
