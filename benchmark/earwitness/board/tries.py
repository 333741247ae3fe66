"""How often somebody tried: versions of entrants that ever had rows on a board, by task and calendar month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from earwitness.submission_card import ENTRANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

Record = dict[str, Any]


@dataclass(frozen=True)
class EntrantVersion:
    """A version of a submission with rows on a task, now or once."""

    task: str
    submission: str
    submission_hash: str
    first: str
    """When it was run first, in UTC: the board knows no earlier rows."""
    kind: str
    authors: tuple[str, ...]
    """As far as they are known."""
    anonymous: bool = False
    """Whether they are not to be named as yet."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.task, self.submission, self.submission_hash

    @property
    def month(self) -> str:
        """The calendar month that it is a try of."""
        return self.first[:7]

    def is_by_those_of(self, other: EntrantVersion) -> bool:
        """Whether it is of the same submission or shares an author."""
        return self.submission == other.submission or not set(self.authors).isdisjoint(other.authors)


def began(recipe: Record, on: date) -> str:
    """When a run began, in UTC and to the second; the day itself where its recipe does not say."""
    try:
        return datetime.fromisoformat(recipe["started"]).astimezone(UTC).isoformat(timespec="seconds")
    except (KeyError, TypeError, ValueError, OverflowError):
        return on.isoformat()


def merged(former: Iterable[EntrantVersion], found: Iterable[EntrantVersion]) -> list[EntrantVersion]:
    """Versions that were known and those that have rows: one of both keeps the earlier time, and what is known now."""
    known = {version.key: version for version in former}
    for version in found:
        before = known.get(version.key)
        known[version.key] = version if before is None else replace(version, first=min(before.first, version.first))
    return [known[key] for key in sorted(known)]


def tried(version: EntrantVersion, versions: Iterable[EntrantVersion]) -> list[EntrantVersion]:
    """A version and the tries before it in its month on its task, of the same submission or of one of its authors."""
    return [
        other
        for other in versions
        if (other.task, other.month, other.kind) == (version.task, version.month, ENTRANT)
        and (other.first, other.key) <= (version.first, version.key)
        and version.is_by_those_of(other)
    ]


def version_records(versions: Sequence[EntrantVersion]) -> list[Record]:
    """Rows of the table `versions`, with the number of tries: of the submission on the task ever, and in the month up
    to this version. Authors that are not to be named are left out, and nothing is counted by them."""
    shown = [replace(version, authors=()) if version.anonymous else version for version in versions]
    return [
        {
            "task": version.task,
            "submission": version.submission,
            "submission_hash": version.submission_hash,
            "first": version.first,
            "month": version.month,
            "kind": version.kind,
            "authors": list(version.authors),
            "tries": sum((v.task, v.submission) == (version.task, version.submission) for v in shown),
            "tries_in_month": len(tried(version, shown)) if version.kind == ENTRANT else None,
        }
        for version in shown
    ]
