"""The board from build to build: owner's notices, tries, and history, as tables beside those of the ranking."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from earwitness import registry
from earwitness.board.admission import OVER, Admission, Applicant, admitted, applicants
from earwitness.board.curves import parted
from earwitness.board.history import FormerBoard, former_board, gone_on, standing_in
from earwitness.board.notices import BoardNotices, KnownNames, read_notices, refuse_unknown
from earwitness.board.schema import COUNT, TEXT
from earwitness.board.tries import version_records
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from earwitness.results.folders import StoredRun

Record = dict[str, Any]
SCHEMAS: dict[str, pa.Schema] = {
    "notices": pa.schema(
        {
            **dict.fromkeys(("kind", "entrant", "submission_hash", "task"), TEXT),
            "task_version": COUNT,
            **dict.fromkeys(("successor", "date", "reason"), TEXT),
        }
    ),
    "versions": pa.schema(
        {
            **dict.fromkeys(("task", "submission", "submission_hash", "first", "month", "kind"), TEXT),
            "authors": pa.list_(TEXT),
            "tries": COUNT,
            "tries_in_month": COUNT,
            "limit": COUNT,
        }
    ),
    "history": pa.schema(
        {
            "build": COUNT,
            "date": TEXT,
            "position": COUNT,
            **dict.fromkeys(("task_key", "entrant", "event", "before", "after", "because"), TEXT),
        }
    ),
}


@dataclass(frozen=True)
class BoardLife:
    """One build of a board that may have been there before."""

    on: date
    former: FormerBoard
    notices: BoardNotices | None
    admission: Admission = field(default_factory=Admission)

    def tables(self, ranking: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """What is kept beside the tables of the ranking."""
        stated = [notice.record() for notice in self.notices.notices] if self.notices else []
        notices = [*stated, *self.admission.over]
        limit = self.notices.tries_a_month if self.notices else None
        found = {
            "notices": notices,
            "versions": [{**record, "limit": limit} for record in version_records(self.admission.versions)],
            "history": gone_on(self.former, standing_in(ranking), notices, self.on),
        }
        return {name: pa.Table.from_pylist(found[name], schema=schema) for name, schema in SCHEMAS.items()}


def build_of(
    runs: Sequence[StoredRun], board: Path, file: Path | None, on: date, say: Callable[[str], None]
) -> BoardLife:
    """A build of runs with an owner's file, into a folder where a board may be.

    Raises InvalidCardError where the file cannot be read; EarwitnessError where it names what is not there, where the
    board before had notices and no file is named, or where nobody is left to be ranked.
    """
    former = former_board(board, say)
    notices = None if file is None else read_notices(file, on)
    applied = applicants(runs, on)
    if notices is not None:
        refuse_unknown(notices, _known(applied, former))
    elif stated := [notice for notice in former.notices if notice["kind"] != OVER]:
        raise EarwitnessError(
            f"the board in {board} has notices ({stated[0]['kind']} on {stated[0]['date']}, say), and this build none; "
            "name their file with --notices"
        )
    admission = admitted(applied, former.versions, notices, on)
    if not parted(admission.kept)[0]:
        why = f": {'; '.join(admission.left_out)}" if admission.left_out else ""
        raise EarwitnessError(f"the notices and the limit leave no run to rank{why}")
    return BoardLife(on, former, notices, admission)


def _known(applied: Sequence[Applicant], former: FormerBoard) -> KnownNames:
    """What has rows, had some on this board, or is registered."""
    entrants: dict[str, set[str]] = defaultdict(set)
    tasks: dict[str, set[int]] = defaultdict(set)
    for each in applied:
        entrants[each.version.submission].add(each.version.submission_hash)
        tasks[each.version.task].add(each.row["task_version"])
    for version in former.versions:
        entrants[version.submission].add(version.submission_hash)
        tasks[version.task] |= set()
    for id in registry.submission_ids():
        entrants[id] |= set()
    for id in registry.task_ids():
        tasks[id] |= _versions_until(id)
    return KnownNames(entrants, tasks)


def _versions_until(id: str) -> set[int]:
    """The versions that a registered task has had; none where its card cannot be read."""
    try:
        return set(range(1, registry.task(id).card.version + 1))
    except EarwitnessError:
        return set()
