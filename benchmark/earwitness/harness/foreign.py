"""What of a task from outside would run code of its own in the process that scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earwitness import plugins, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.task import Task

CODE = frozenset({".ts", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".th", ".py", ".so"})
"""Endings of files that may hold code, or are unpickled: TorchScript runs as it is loaded."""


def code_of(task: Task) -> str:
    """What would run code, in words; empty for a registered task and for one that holds arrays and cards alone."""
    if task.id in registry.task_ids() and registry.task(task.id).folder == task.folder:
        return ""
    return ", ".join(_code(task))


def _code(task: Task) -> Iterator[str]:
    card = task.card
    adapters = [("models", card.model.adapter), ("datasets", card.dataset.adapter)]
    adapters += [("judges", judge.adapter) for judge in card.judges]
    for kind, name in adapters:
        if name not in plugins.names(kind):
            yield f"adapter {name!r}"
    sources = [card.model.source, *(judge.source for judge in card.judges)]
    places = {task.folder, *(Path(task.source(source)) for source in sources)}
    files = sorted({path for place in places for path in place.rglob("*") if path.suffix in CODE})
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"{files[0]}{more}"
