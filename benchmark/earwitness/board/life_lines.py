"""Lines on the board's life under the printed ranking: notices, what the last build changed, tries, licences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earwitness.board.store import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duckdb import DuckDBPyConnection

Record = dict[str, Any]
LINES = 12
"""Changes of a build that are printed; the page has all of them."""


def life_lines(connection: DuckDBPyConnection) -> list[str]:
    """All lines: notices, changes, tries, licences."""
    noted = records(connection, "SELECT * FROM notices ORDER BY date, entrant, task, submission_hash")
    return [
        *(f"Notice of {notice['date']}: {notice_line(notice)}" for notice in noted),
        *_changed(connection),
        *_tries(connection),
        *_licences(connection),
    ]


def notice_line(notice: Record) -> str:
    """A notice without its day.

    >>> notice_line(dict(kind="superseded", entrant="a", submission_hash="", task="", task_version=None,
    ...                  successor="b", reason="a bug"))
    'a superseded by b: a bug'
    """
    entrant = f"{notice['entrant']}~{notice['submission_hash'][:6]}".rstrip("~")
    task = f"{notice['task']} {notice['task_version'] or ''}".strip()
    what = f"{entrant} on {task}" if entrant and task else entrant or task
    by = f" by {notice['successor']}" if notice["successor"] else ""
    return f"{what} {notice['kind']}{by}: {notice['reason']}"


def event_line(event: Record) -> str:
    """What a build changed of an entrant, a task, or both.

    >>> event_line(dict(task_key="t", entrant="a", event="moved", before="place 1 in group 1",
    ...                 after="place 2 in group 1", because="rows of b"))
    't: a moved, place 1 in group 1 to place 2 in group 1 (rows of b)'
    """
    whom = f"{event['task_key']}: {event['entrant']}".removeprefix(": ").removesuffix(": ")
    places = " to ".join(place for place in (event["before"], event["after"]) if place)
    because = f" ({event['because']})" if event["because"] else ""
    return f"{whom} {event['event']}" + (f", {places}" if places else "") + because


def tries_line(version: Record) -> str:
    """How often an entrant was tried, as far as authors may be told.

    >>> tries_line(dict(month="2026-11", tries=4, tries_in_month=2, limit=3))
    'try 2 of 3 in 2026-11, 4 on this task in all'
    """
    of = f" of {version['limit']}" if version["limit"] else ""
    return f"try {version['tries_in_month']}{of} in {version['month']}, {version['tries']} on this task in all"


def _changed(connection: DuckDBPyConnection) -> Iterable[str]:
    """What the last build that changed anything changed."""
    query = "SELECT * FROM history WHERE build = (SELECT max(build) FROM history) ORDER BY position"
    events = records(connection, query)
    for event in events[:LINES]:
        yield f"Changed on {event['date']}: {event_line(event)}"
    if len(events) > LINES:
        yield f"And {len(events) - LINES} more changes, which the page has."


def _tries(connection: DuckDBPyConnection) -> Iterable[str]:
    """A line for each task with entrants whose tries are counted."""
    query = """
        SELECT task_key, entrant, versions.* FROM submissions JOIN tasks USING (task_key)
        JOIN versions USING (task, submission, submission_hash)
        WHERE tries_in_month IS NOT NULL ORDER BY task_key, entrant
    """
    by_task: dict[str, list[str]] = {}
    for version in records(connection, query):
        by_task.setdefault(version["task_key"], []).append(f"{version['entrant']}: {tries_line(version)}")
    return [f"Tries on {task}: {'; '.join(lines)}." for task, lines in by_task.items()]


def _licences(connection: DuckDBPyConnection) -> Iterable[str]:
    """Who is under which licence, and where each is cited."""
    query = """
        SELECT licence, string_agg(DISTINCT submission, ', ' ORDER BY submission) AS names
        FROM submissions WHERE licence <> '' GROUP BY licence ORDER BY licence
    """
    found = [f"{record['licence']}: {record['names']}" for record in records(connection, query)]
    return [f"Licences: {'; '.join(found)}. `earwitness submissions ID` and the page cite them."] if found else []
