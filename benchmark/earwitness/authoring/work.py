"""A certification's work: finished items kept on disk, so that a killed one goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from earwitness.pace import Pace, duration
from earwitness.scoring import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from earwitness.task import Task
    from earwitness.tracks import Item

ItemT = TypeVar("ItemT", bound="Item")
LONG = 300.0
"""Seconds from which on what is still to come is announced."""
FILE = ".certify.jsonl"
"""Finished items of a certification that goes on; hidden, so that it is no part of the task's identity."""


class Work:
    """Rows of finished items, kept on disk as lines of JSON below a line that says what they were computed for."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self._done: dict[tuple[str, str], list[dict[str, Any]]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines[:1] == [identity]:
            for line in lines[1:]:
                try:
                    stage, item, rows = json.loads(line)
                except ValueError:  # a line that a kill cut short
                    continue
                self._done[stage, item] = rows
        path.parent.mkdir(parents=True, exist_ok=True)
        done = [json.dumps([stage, item, rows]) for (stage, item), rows in self._done.items()]
        path.write_text("\n".join([identity, *done, ""]), encoding="utf-8")

    @classmethod
    def of(cls, task: Task) -> Work:
        """Finished items of a task's certification; those of another card or other models are forgotten."""
        return cls(certificates.folder(task) / FILE, identity(task))

    def rows(self, stage: str, item: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Rows of an item, computed unless they are on disk."""
        if (stage, item) not in self._done:
            rows = compute()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([stage, item, rows]) + "\n")
            self._done[stage, item] = rows
        return self._done[stage, item]


def identity(task: Task) -> str:
    """Hash of everything that truth depends on: the card and the models, not the truth itself."""
    digest = hashlib.sha256(json.dumps(task.card.model_dump(mode="json"), sort_keys=True).encode())
    for path in task.data_files():
        if path.relative_to(task.folder).parts[0] != certificates.folder(task).name:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def each(
    bars: Progress,
    stage: str,
    items: Sequence[ItemT],
    work: Work,
    compute: Callable[[ItemT], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Rows of every item, computed unless they are on disk, under a progress bar.

    What takes long is announced, by the first item that is computed.
    """
    advance = stage_of(bars, stage, len(items))
    rows: list[dict[str, Any]] = []
    announced = False

    def measured(item: ItemT, left: int) -> list[dict[str, Any]]:
        nonlocal announced
        start = time.monotonic()
        found = compute(item)
        if not announced and not bars.disable:
            _announce(bars, stage, (time.monotonic() - start) * left, left)
        announced = True
        return found

    for number, item in enumerate(items):
        left = len(items) - number - 1
        rows += work.rows(stage, item.id, lambda item=item, left=left: measured(item, left))  # type: ignore[misc]
        advance(1)
    return rows


def stage_of(bars: Progress, label: str, total: int) -> Callable[[int], None]:
    """Begin a stage among bars; what is returned counts steps, said once a minute where no terminal shows the bar."""
    bar = bars.add_task(label, total=total)
    pace = Pace(label, total, lambda line: bars.console.print(line, markup=False, highlight=False))
    aloud = not bars.disable and not bars.console.is_terminal

    def advance(steps: int) -> None:
        bars.advance(bar, steps)
        if aloud:
            pace.advance(steps)

    return advance


def _announce(bars: Progress, stage: str, seconds: float, left: int) -> None:
    """Say what is still to come, where it takes longer than a coffee."""
    if seconds >= LONG:
        bars.console.print(
            f"{stage}: about {duration(seconds)} for the {left} items that are left, by the first; "
            "it can be stopped, and the same command goes on"
        )


def bars(progress: bool) -> Progress:
    """Progress bars of a certification, shown if `progress`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not progress,
    )
