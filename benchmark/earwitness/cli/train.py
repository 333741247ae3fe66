"""`earwitness train`: the micro-models again, from their recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.output import Json, print_json, writable
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.task import Task

TRAININGS = Path(".earwitness/trained")
CARD = "task.toml"


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of a micro task.")],
    twin: Annotated[
        int | None, typer.Option(metavar="SEED", min=1, help="Train the model alone, from another seed: a twin.")
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Of a twin: with no part of its inputs masked in training.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="The task in a private world, by the secret in EARWITNESS_SECRET.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --private: a twin to take instead of the task's model.")
    ] = None,
    items: Annotated[int | None, typer.Option(metavar="N", min=2, help="With --private: items of its card.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; default: a folder of its own.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a task's micro-models and certify its truth, or train a twin of its model; resumes from its checkpoints.

    What is written is a task folder of its own, which `earwitness run --task DIR` runs; of a twin it is DIR/model,
    which `earwitness run --task TASK --model DIR/model` runs. With --private nothing is trained: the model's words get
    other meanings, and the truth of that world is certified.
    """
    import shutil

    from earwitness import authoring, registry
    from earwitness.authoring.training import RECIPES
    from earwitness.authoring.training import train as train_task
    from earwitness.task import read_task

    if unmasked and twin is None:
        raise EarwitnessError("--unmasked is for twins alone; give --twin SEED, too")
    if private and twin is not None:
        raise EarwitnessError("--private takes a twin that is trained already: --model DIR")
    if not private and (model or items is not None):
        raise EarwitnessError("--model and --items go with --private alone")
    shipped = registry.task(task)
    if private:
        folder = writable(out, "--out") if out else TRAININGS / f"{shipped.id}_private"
        _make_private(shipped, folder, model, items, json)
        return
    if twin is not None:
        name = f"{shipped.id}-twin{twin}{'-unmasked' if unmasked else ''}"
        _train_twin(shipped, writable(out, "--out") if out else TRAININGS / name, twin, not unmasked, json)
        return
    folder = writable(out, "--out") if out else TRAININGS / f"{shipped.id}-seed0" / shipped.id
    if shipped.id in RECIPES:
        authoring.require(read_task(folder if (folder / CARD).exists() else shipped.folder))
    figures = train_task(shipped.id, folder)
    if not (folder / CARD).exists():
        shutil.copyfile(shipped.folder / CARD, folder / CARD)
    authoring.certify(read_task(folder))
    if json:
        print_json(figures)
    else:
        print(f"trained and certified {shipped.id}, seed 0: {folder}")


def _train_twin(task: Task, folder: Path, seed: int, masked: bool, json: bool) -> None:
    from earwitness.authoring.training.twins import train_twin

    figures = train_twin(task, folder, seed, masked)
    if json:
        print_json(figures)
    else:
        kind = "a twin" if masked else "an unmasked twin"
        model = folder / "model"
        print(f"trained {kind} of {task.id}, seed {seed}; `earwitness run --task {task.id} --model {model}` runs it")


def _make_private(task: Task, folder: Path, model: Path | None, items: int | None, json: bool) -> None:
    from earwitness import authoring
    from earwitness.authoring.private_task import make_private
    from earwitness.task import read_task

    going_on = (folder / CARD).exists()
    if going_on and (model or items is not None):
        raise EarwitnessError(f"{folder} holds a task; leave --model and --items out to go on certifying it")
    made = read_task(folder) if going_on else make_private(task, folder, model, items)
    authoring.certify(made)
    if json:
        print_json({"task": made.id, "folder": str(folder), "items": made.card.dataset.items})
    else:
        print(f"certified {made.id}, {made.card.dataset.items} items: {folder}; keep it, and its runs, to yourself")
