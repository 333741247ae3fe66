"""Which runs a board's owner lets into its ranks: what notices, licences, ids and the limit of tries leave out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from earwitness.board.facts import by_submission, submission_facts
from earwitness.board.notices import WITHDRAWN
from earwitness.board.tries import EntrantVersion, began, merged, tried
from earwitness.errors import is_blank
from earwitness.results.curves import budget_of
from earwitness.results.rows import INLINE
from earwitness.submission_card import ENTRANT, readable_until, too_far, until_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from earwitness.board.notices import BoardNotices
    from earwitness.results.folders import StoredRun
    from earwitness.submission_card import SubmissionCard

Record = dict[str, Any]
OVER = "over the limit"
"""Kind of the notice that the board itself makes of a try too many."""


@dataclass(frozen=True)
class Applicant:
    """A run with what it is of; a run at another budget is of the submission itself."""

    run: StoredRun
    row: Record
    """`submission`, `submission_hash`, `task` and `task_version`."""
    version: EntrantVersion
    licence: str | None
    """None where no card can be read."""
    inline: bool
    """Whether it was made in the caller's own process: such rows meet no others."""
    at_budget: bool


@dataclass
class Admission:
    """What became of the runs."""

    kept: list[StoredRun] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Lines on runs that somebody must see to."""
    over: list[Record] = field(default_factory=list)
    """Notices of tries over the limit."""
    versions: list[EntrantVersion] = field(default_factory=list)
    """Every version that has rows or had some."""


def applicants(runs: Sequence[StoredRun], on: date) -> list[Applicant]:
    """Runs with what their first rows, their recipes and their submissions' cards say of them."""
    rows = [run.rows.slice(0, 1).to_pylist()[0] for run in runs]
    recipes = by_submission(run.recipe for run in runs)
    keys = {(row["submission"], row["submission_hash"]) for row in rows}
    cards = {key: submission_facts(*key, recipes.get(key[1], ())).card for key in keys}
    return [
        _applicant(run, row, cards[row["submission"], row["submission_hash"]], on)
        for run, row in zip(runs, rows, strict=True)
    ]


def _applicant(run: StoredRun, row: Record, card: SubmissionCard | None, on: date) -> Applicant:
    budget = budget_of(run.recipe)
    if budget is not None:
        row = {**row, "submission": budget.of, "submission_hash": budget.of_hash}
    version = EntrantVersion(
        row["task"],
        row["submission"],
        row["submission_hash"],
        began(run.recipe, on),
        card.kind if card else ENTRANT,
        card.authors if card else (),
        card is not None and card.is_anonymous(on),
    )
    licence = card.licence if card else None
    return Applicant(run, row, version, licence, row["isolation"] == INLINE, budget is not None)


def admitted(
    runs: Sequence[Applicant], former: Sequence[EntrantVersion], notices: BoardNotices | None, on: date
) -> Admission:
    """Who is ranked of those with rows; `former` are versions that had some on this board.

    Without an owner's file all are, but those whose day of being named cannot be.
    """
    found = [each.version for each in runs if not (each.inline or each.at_budget)]
    admission = Admission(versions=merged(former, found))
    known = {version.key: version for version in former}
    over = {} if notices is None else _over(admission.versions, notices)
    for each in runs:
        line = _undated(each, on)
        if notices is not None and not line:
            line = _unlicensed(each) or _taken(each, admission.versions) or _again(each, notices, known)
        if line:
            admission.left_out.append(line)
            continue
        withdrawn = notices is not None and any(n.leaves and n.covers(each.row) for n in notices.notices)
        if not withdrawn and (each.inline or each.version.key not in over):
            admission.kept.append(each.run)
    admission.over = list(over.values())
    return admission


def _undated(each: Applicant, on: date) -> str:
    """Why the day until which a run's authors are anonymous cannot be; empty where nothing is wrong with it."""
    until = until_in(each.run.recipe)
    if not until:
        return ""
    wrong = too_far(until, on) if readable_until(until) else "anonymous_until: no day; mend the card and run it again"
    return f"{each.run.folder}: {wrong}" if wrong else ""


def _unlicensed(each: Applicant) -> str:
    if each.inline or each.licence is None or not is_blank(each.licence):
        return ""
    return f'{each.run.folder}: its card names no licence; say by which one others may use it: licence = "Apache-2.0"'


def _taken(each: Applicant, versions: Sequence[EntrantVersion]) -> str:
    """What to say of a run whose id is that of another submission, by other authors, which was first."""
    mine = each.version
    if each.inline or not mine.authors:
        return ""
    same = [v for v in versions if v.submission == mine.submission and v.authors]
    first = min(same, key=lambda version: (version.first, version.key), default=mine)
    if not set(first.authors).isdisjoint(mine.authors):
        return ""
    return (
        f"{each.run.folder}: another submission, by other authors, was called {mine.submission} before; give it "
        "another id, or its card an author of that one"
    )


def _again(each: Applicant, notices: BoardNotices, known: dict[tuple[str, str, str], EntrantVersion]) -> str:
    """What to say of a run of a withdrawn entrant that came after it was withdrawn."""
    notice = next((n for n in notices.notices if n.kind == WITHDRAWN and n.entrant and n.covers(each.row)), None)
    if notice is None:
        return ""
    before = known.get(each.version.key)
    first = min(each.version.first, before.first) if before else each.version.first
    if first[:10] <= notice.date:
        return ""
    return (
        f"{each.run.folder}: {notice.target} was withdrawn on {notice.date} and is submitted again; take the notice "
        "back, or the run away"
    )


def _over(versions: Sequence[EntrantVersion], notices: BoardNotices) -> dict[tuple[str, str, str], Record]:
    """A notice of each version that is a try too many of its month, by its key."""
    limit = notices.tries_a_month
    found: dict[tuple[str, str, str], Record] = {}
    for version in versions if limit is not None else ():
        if version.kind == ENTRANT and limit is not None and len(tried(version, versions)) > limit:
            found[version.key] = {
                "kind": OVER,
                "entrant": version.submission,
                "submission_hash": version.submission_hash,
                "task": version.task,
                "task_version": None,
                "successor": "",
                "date": version.first[:10],
                "reason": f"of its authors' tries in {version.month}, the first {limit} are ranked",
            }
    return found
