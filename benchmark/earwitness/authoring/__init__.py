"""Authoring: what the author of a task runs once. Training recipes, certificates, ceilings, searches, Shapley values,
studies of runs.

Nothing that explains or scores imports it, and its code is in no row's identity.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.task import Task


def certify(task: Task) -> None:
    """Compute and store the truth of a task; resumes where it was stopped."""
    _of(task).certify(task)


def require(task: Task) -> None:
    """Raise EarwitnessError, before anything is trained or computed, where the truth of a task cannot be certified.

    Tracks that know no such case let every task pass.
    """
    check = getattr(_of(task), "require", None)
    if check is not None:
        check(task)


def renew(task: Task, items: int | None = None) -> int:
    """Compute and store the ceilings of a task anew, nothing else of its truth, and return their rows.

    Of the first `items` of the task, or of all; of a published model, too, which needs no truth about its data. Resumes
    where it was stopped.
    """
    rows: int = _of(task).renew(task, items)
    return rows


def complete(task: Task) -> int:
    """Add ceilings of the card's metrics that a task's truth lacks, and return the rows that were added.

    What is stored stays as it is; resumes where it was stopped. Raises EarwitnessError on a track whose ceilings are
    computed as a whole.
    """
    module = _of(task)
    if not hasattr(module, "complete"):
        raise EarwitnessError(
            f"task {task.id}: ceilings of the {task.card.track} track are computed as a whole; do that with "
            f"`python -m earwitness.authoring {task.id} --ceilings`"
        )
    added: int = module.complete(task)
    return added


def chosen(scoring: Any, item: Any, choice: str) -> Any:
    """The explanation of a scoring's item that a `choice` of the stored ceilings names.

    Raises EarwitnessError where it names none.
    """
    return _of(scoring.setting.task).chosen(scoring, item, choice)


def _of(task: Task) -> Any:
    """What authors run on the task's track."""
    return import_module(f"{__name__}.{task.card.track}")
