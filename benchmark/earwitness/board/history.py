"""What changed on a board from one build to the next, and by whose rows; kept in the board from build to build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from earwitness.board.store import connect, current, records
from earwitness.board.tries import EntrantVersion
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

Record = dict[str, Any]
RankedTask = tuple[str, str, bool]
"""A task, its hash in rows, and whether its rows were made in the caller's own process."""
Version = tuple[str, str]
"""A submission and its hash."""
RANKING = ("tasks", "submissions", "ranks", "runs")
"""Tables that tell who stood where."""
_STANDING = """
    SELECT tasks.task, tasks.task_hash, task_key, submission, submission_hash, entrant, rank, rank_group, fingerprints
    FROM submissions JOIN tasks USING (task_key) JOIN ranks USING (task_key, entrant)
    LEFT JOIN (
        SELECT task_key, entrant, list_sort(list(fingerprint)) AS fingerprints FROM runs GROUP BY task_key, entrant
    ) USING (task_key, entrant)
    ORDER BY task_key, entrant
"""


@dataclass(frozen=True)
class FormerBoard:
    """What the board that was there before keeps for the next one; nothing of it where there was none."""

    standing: dict[RankedTask, dict[Version, Record]] = field(default_factory=dict)
    versions: list[EntrantVersion] = field(default_factory=list)
    notices: list[Record] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)


def former_board(board: Path, say: Callable[[str], None]) -> FormerBoard:
    """The board in a folder; `say` is told where there is one whose history cannot be gone on with."""
    try:
        current(board)
    except EarwitnessError:
        return FormerBoard()
    try:
        connection = connect(board)
    except EarwitnessError as error:
        say(f"{error}; its history is not gone on with")
        return FormerBoard()
    try:
        versions = [_version(record) for record in records(connection, "SELECT * FROM versions")]
        history = records(connection, "SELECT * FROM history ORDER BY build, position")
        return FormerBoard(standing(connection), versions, records(connection, "SELECT * FROM notices"), history)
    except (duckdb.Error, TypeError, KeyError):
        say(f"the board in {board} is of another version of earwitness, and its history is not gone on with")
        return FormerBoard()
    finally:
        connection.close()


def _version(record: Record) -> EntrantVersion:
    names = ("task", "submission", "submission_hash", "first", "kind")
    return EntrantVersion(**{name: record[name] for name in names}, authors=tuple(record["authors"]))


def standing(connection: duckdb.DuckDBPyConnection) -> dict[RankedTask, dict[Version, Record]]:
    """Who stands where: place, tie group and fingerprints of the rows of each version on each task."""
    found: dict[RankedTask, dict[Version, Record]] = {}
    for record in records(connection, _STANDING):
        key = (record["task"], record["task_hash"], record["task_key"].endswith("~inline"))
        found.setdefault(key, {})[record["submission"], record["submission_hash"]] = record
    return found


def standing_in(tables: Mapping[str, pa.Table]) -> dict[RankedTask, dict[Version, Record]]:
    """The same of tables that are about to be written."""
    with duckdb.connect() as connection:
        for name in RANKING:
            # A table, since a cursor does not see what is registered.
            connection.register("content", tables[name])
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM content')
            connection.unregister("content")
        return standing(connection)


def gone_on(
    former: FormerBoard, now: dict[RankedTask, dict[Version, Record]], notices: Sequence[Record], on: date
) -> list[Record]:
    """The history with what this build changed; as it was where the build changed nothing, or is the first."""
    if not former.standing:
        return former.history
    build = 1 + max((record["build"] for record in former.history), default=0)
    found = [*_of_notices(former.notices, notices), *_of_tasks(former.standing, now, notices)]
    return [
        *former.history,
        *({"build": build, "date": on.isoformat(), "position": place, **each} for place, each in enumerate(found)),
    ]


def _event(task: str, entrant: str, event: str, **details: str) -> Record:
    return {"task_key": task, "entrant": entrant, "event": event, "before": "", "after": "", "because": "", **details}


def _of_notices(before: Sequence[Record], after: Sequence[Record]) -> Iterator[Record]:
    """Notices that are new, and those that were taken back."""
    for notice in after:
        if notice not in before:
            by = f" by {notice['successor']}" if notice["successor"] else ""
            yield _event(_task_of(notice), _named(notice), notice["kind"] + by, because=notice["reason"])
    for notice in before:
        if notice not in after:
            yield _event(_task_of(notice), _named(notice), f"no longer {notice['kind']}")


def _task_of(notice: Record) -> str:
    return f"{notice['task']} {notice['task_version'] or ''}".strip()


def _named(notice: Record) -> str:
    hash = notice["submission_hash"][:6]
    return f"{notice['entrant']}~{hash}" if hash else str(notice["entrant"])


def _of_tasks(
    before: dict[RankedTask, dict[Version, Record]],
    after: dict[RankedTask, dict[Version, Record]],
    notices: Sequence[Record],
) -> Iterator[Record]:
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            yield _event(_key_of(after[key]), "", "task entered")
        elif key not in after:
            yield _event(_key_of(before[key]), "", "task left")
        else:
            yield from _of_entrants(before[key], after[key], notices)


def _key_of(entrants: Mapping[Version, Record]) -> str:
    return str(next(iter(entrants.values()))["task_key"])


def _of_entrants(
    before: dict[Version, Record], after: dict[Version, Record], notices: Sequence[Record]
) -> Iterator[Record]:
    """Who came, went, has other rows, or has another place, which is said with those of whom rows came or went."""
    task = _key_of(after)
    former = {submission for submission, _ in before}
    moving = []
    for version in sorted(after.keys() - before.keys()):
        moving.append(after[version]["entrant"])
        yield _event(
            task, moving[-1], "new version" if version[0] in former else "entered", after=_place(after[version])
        )
    for version in sorted(before.keys() - after.keys()):
        moving.append(before[version]["entrant"])
        if not any(_leads_away(notice, before[version]) for notice in notices):
            yield _event(
                task, moving[-1], "left", before=_place(before[version]), because="none of its rows are ranked here now"
            )
    stayed = sorted(before.keys() & after.keys())
    for version in stayed:
        if before[version]["fingerprints"] != after[version]["fingerprints"]:
            moving.append(after[version]["entrant"])
            yield _event(task, moving[-1], "other rows")
    because = f"rows of {', '.join(moving)}" if moving else "what the task says of its metrics"
    for version in stayed:
        places = _place(before[version]), _place(after[version])
        if places[0] != places[1]:
            yield _event(task, after[version]["entrant"], "moved", before=places[0], after=places[1], because=because)


def _leads_away(notice: Record, record: Record) -> bool:
    """Whether a notice tells why a version has left."""
    return (
        notice["entrant"] == record["submission"]
        and notice["submission_hash"] in ("", record["submission_hash"])
        and notice["task"] in ("", record["task"])
        and notice["kind"] != "corrected"
    )


def _place(record: Record) -> str:
    """A place and the tie group that shares it."""
    return "no rank" if record["rank"] is None else f"place {record['rank']} in group {record['rank_group']}"
