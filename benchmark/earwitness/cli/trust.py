"""`--trust-task`: what every verb asks that loads a task's model in its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.task import Task

TrustTask = Annotated[
    bool, typer.Option("--trust-task", help="Let a task from outside run the code that its folder holds.")
]


def trusted(tasks: Sequence[Task], trust_task: bool) -> None:
    """Raise EarwitnessError where a task from outside would run code of its own as it is loaded."""
    from earwitness.harness.foreign import code_of

    for task in tasks:
        if not trust_task and (found := code_of(task)):
            raise EarwitnessError(
                f"task {task.id} is from outside and brings code that runs when it is loaded: {found}; read it, and "
                "run with --trust-task"
            )
