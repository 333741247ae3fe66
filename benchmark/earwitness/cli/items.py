"""`earwitness items`: what an explainer may see of a task, as files, for explanations that are made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.entrants import MAX_SEED, tasks_of
from earwitness.cli.output import Json, one_line_of, print_json, writable
from earwitness.cli.run import MOST_ITEMS
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import EarwitnessError


def items(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id or folder of a task.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to: an empty one, or none yet.")],
    items: Annotated[int | None, typer.Option(min=1, max=MOST_ITEMS, help="The first N items instead of all.")] = None,
    fresh: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, metavar="SEED", help="Draw other items of a made world.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Shifts the seeds of generation and explainers.")] = 0,
    source: Annotated[
        list[str] | None, typer.Option(metavar="HUB_ID=FOLDER", help="Where a local copy of a hub id lies.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where the model runs.")] = "auto",
    trust_task: TrustTask = False,
    json: Json = False,
) -> None:
    """Write what an explainer may see of a task's items as files, for explanations that are made elsewhere."""
    from earwitness.box.devices import require
    from earwitness.harness import engines
    from earwitness.harness.outside.items import DOCUMENT, HandOut, hand_out

    require(device)
    (found,) = tasks_of([task], None, source or [])
    trusted([found], trust_task)
    highest = max(found.card.generation_seeds)
    if seed + highest > MAX_SEED:
        raise EarwitnessError(f"--seed {seed}: task {found.id} adds up to {highest}; at most {MAX_SEED}")
    document = hand_out(HandOut(found, writable(out, "--out"), items, seed, fresh, device), engines.get("local"))
    if json:
        print_json(document.model_dump(mode="json"))
        return
    counts = f"{len(document.items)} of the first {document.count} items of {found.id}"
    print(one_line_of(f"wrote {counts} to {out}, from {document.items[0].id} to {document.items[-1].id}"))
    print(f"next: earwitness new NAME --explanations --items {out}, which lists them; {DOCUMENT} says what of each")
