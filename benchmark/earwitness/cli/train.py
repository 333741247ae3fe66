"""`earwitness train`: the micro-models again, from their recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.output import Json, print_json, writable

TRAININGS = Path(".earwitness/trained")
CARD = "task.toml"


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
    """Train a task's micro-models and certify its truth; resumes from its checkpoints.

    What is written is a task folder of its own: `earwitness run --task DIR` runs it.
    """
    import shutil

    from earwitness import authoring, registry
    from earwitness.authoring.training import train as train_task
    from earwitness.task import read_task

    shipped = registry.task(task)
    seed = twin or 0
    folder = writable(out, "--out") if out else TRAININGS / f"{shipped.id}-seed{seed}" / shipped.id
    figures = train_task(shipped.id, folder, seed)
    if not (folder / CARD).exists():
        shutil.copyfile(shipped.folder / CARD, folder / CARD)
    authoring.certify(read_task(folder))
    if json:
        print_json(figures)
    else:
        print(f"trained and certified {shipped.id}, seed {seed}: {folder}")
