"""Authoring: what the author of a task runs once. Training recipes, certificates, ceilings, searches, Shapley values.

Nothing that explains or scores imports it, and its code is in no row's identity.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earwitness.task import Task


def certify(task: Task) -> None:
    """Compute and store the truth of a task; resumes where it was stopped."""
    import_module(f"{__name__}.{task.card.track}").certify(task)
