"""`earwitness train`: the micro-models again, from their recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.output import Json, print_json

TRAININGS = Path(".earwitness/trained")


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of a micro task.")],
    twin: Annotated[
        int | None, typer.Option(metavar="SEED", min=1, help="Train a twin of another seed, beside the task's own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: a folder of its own.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a task's micro-models; resumes from its checkpoints."""
    from earwitness import shelf
    from earwitness.models.training import train as train_task

    card = shelf.task(task).card
    seed = twin or 0
    folder = out or TRAININGS / f"{card.id}-seed{seed}"
    figures = train_task(card.id, folder, seed)
    if json:
        print_json(figures)
    else:
        print(f"trained {card.id}, seed {seed}: {folder}")
