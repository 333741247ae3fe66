"""`earwitness tasks` and `earwitness submissions`: what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from earwitness.submission import Submission
    from earwitness.task import Task

ID = Annotated[str | None, typer.Argument(metavar="[ID]", help="Id, or a folder with a card; all without one.")]


def tasks(id: ID = None, json: Json = False) -> None:
    """List tasks and what they need to run here, or show one card."""
    from earwitness import registry

    if id is not None:
        _show(_task_record(registry.task(id)), json)
        return
    found = [registry.task(name) for name in registry.task_ids()]
    if json:
        print_json([_task_record(task) for task in found])
        return
    records = [_task_line(task) for task in found]
    print_table("", ["task", "version", "track", "items", "title", "runs here; what it takes"], records)


def _task_line(task: Task) -> list[str]:
    from earwitness.harness.needs import needs, takes

    card, here = task.card, f"{', '.join(needs(task)) or 'yes'}; {takes(task)}"
    return [task.id, str(card.version), card.track, str(card.dataset.items), card.title, here]


def submissions(id: ID = None, json: Json = False) -> None:
    """List submissions, or show one card."""
    from earwitness import registry

    if id is not None:
        _show(_submission_record(registry.submission(id)), json)
        return
    found = [registry.submission(name) for name in registry.submission_ids()]
    if json:
        print_json([_submission_record(submission) for submission in found])
        return
    records = [[entry.id, ", ".join(entry.card.tracks), entry.card.kind, entry.card.title] for entry in found]
    print_table("", ["submission", "tracks", "kind", "title"], records)


def _task_record(task: Task) -> dict[str, Any]:
    from earwitness.harness.needs import needs, takes

    missing = needs(task)
    card = task.card.model_dump(mode="json", exclude={"needs"})
    metrics = [{"id": metric.id, **card["metrics"][i]} for i, metric in enumerate(task.card.metrics)]
    return {
        **card,
        "metrics": metrics,
        "hash": task.hash,
        "folder": str(task.folder),
        "runs_here": not missing,
        "needs": missing,
        "takes": {**task.card.needs.model_dump(mode="json"), "said": takes(task)},
    }


def _submission_record(submission: Submission) -> dict[str, Any]:
    from earwitness.citing import citation
    from earwitness.submission_card import today

    card, hashes = submission.card.model_dump(mode="json"), submission.hashes
    cited = citation(submission.card, next(iter(hashes.values())), today())
    return {**card, "hashes": hashes, "folder": str(submission.folder), "citation": cited}


def _show(record: dict[str, Any], json: bool) -> None:
    if json:
        print_json(record)
        return
    lines = [line for key, value in record.items() for line in _lines(key, value)]
    print_table("", ["key", "value"], [[key, value] for key, value in lines])


def _lines(key: str, value: Any) -> list[tuple[str, str]]:
    """A card's entry as lines: nested keys with dots, lists of tables and texts of several lines one line each."""
    if isinstance(value, dict):
        return [line for name, inner in value.items() for line in _lines(f"{key}.{name}", inner)]
    if isinstance(value, str) and "\n" in value:
        return [(key if i == 0 else "", line) for i, line in enumerate(value.splitlines())]
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return [
            (
                key if i == 0 else "",
                " ".join(_marked(inner) for inner in entry.values() if inner not in ({}, False, "")),
            )
            for i, entry in enumerate(value)
        ]
    return [(key, _short(value))]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={inner}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value)
    return str(value)


def _marked(value: Any) -> str:
    """A value of a metric, whose one truth value says that it is a headline."""
    return "headline" if value is True else _short(value)
