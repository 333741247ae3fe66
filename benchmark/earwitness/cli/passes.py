"""Options that say how a model's passes are made."""

from __future__ import annotations

from typing import Annotated

import typer

MOST_ROWS = 2**31 - 1
Dtype = Annotated[
    str, typer.Option(metavar="float32|bfloat16", help="What models compute in; left out, what a card says.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_ROWS, help="Most rows a pass; as many as fit by default. Values stay the same but for rounding."
    ),
]
