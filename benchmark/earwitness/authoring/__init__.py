"""Authoring: what the author of a task runs once. Training recipes, certificates, ceilings, searches, Shapley values.

Nothing that explains or scores imports it, and its code is in no row's identity.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.task import Task


def certify(task: Task) -> None:
    """Compute and store the truth of a task; resumes where it was stopped."""
    import_module(f"{__name__}.{task.card.track}").certify(task)


def complete(task: Task) -> int:
    """Add ceilings of the card's metrics that a task's truth lacks, and return the rows that were added.

    What is stored stays as it is; resumes where it was stopped. Raises EarwitnessError on a track whose ceilings are
    computed as a whole.
    """
    module = import_module(f"{__name__}.{task.card.track}")
    if not hasattr(module, "complete"):
        raise EarwitnessError(
            f"task {task.id}: ceilings of the {task.card.track} track are computed as a whole, by `earwitness train`"
        )
    added: int = module.complete(task)
    return added
