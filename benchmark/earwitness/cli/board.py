"""`earwitness board`, `leaderboard` and `compare`: what reads rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.output import WIDE, Json, print_json, print_table
from earwitness.errors import EarwitnessError

BOARD = Path("board")

Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the runs.")]


def board(out: Out = Path("runs"), json: Json = False) -> None:
    """Build the board from the runs' rows and print the ranking."""
    from rich.console import Console

    from earwitness import board as boards

    path = boards.build(out, BOARD)
    if json:
        print_json(boards.ranking_records(path))
    else:
        boards.print_ranking(path, Console(width=None if sys.stdout.isatty() else WIDE))


def leaderboard(
    export: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a static page instead of serving.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on.")] = 8501,
) -> None:
    """Serve the leaderboard of the board, or write it as a static page."""
    from earwitness import board as boards

    if export is not None:
        print(boards.export(BOARD, export))
        return
    boards.current(BOARD)
    raise typer.Exit(_serve(port))


def _serve(port: int) -> int:
    import os
    import subprocess

    from earwitness import shelf

    page = shelf.home("leaderboard") / "app.py"
    if not page.is_file():
        raise EarwitnessError(f"{page}: no such page; install earwitness again")
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    # Headless, or a first start would ask for an e-mail address and wait.
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    environment = {**os.environ, "EARWITNESS_BOARD": str(BOARD.resolve())}
    print(f"http://localhost:{port}", flush=True)
    try:
        return subprocess.run(command, check=False, env=environment).returncode
    except KeyboardInterrupt:
        return 0


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Folder of another run on the same task.")],
    json: Json = False,
) -> None:
    """Compare two runs on the items that both have, metric by metric."""
    from earwitness.harness.compare import compare as compare_runs

    found = compare_runs(first, second)
    if json:
        print_json([vars(comparison) for comparison in found])
        return
    records = [
        [c.metric, c.direction, str(c.items), f"{c.first:.3f}", f"{c.second:.3f}",
         f"{c.difference:+.3f} [{c.low:+.3f} {c.high:+.3f}]", c.verdict]
        for c in found
    ]  # fmt: skip
    print_table(f"A {first.name}\nB {second.name}", ["metric", "better", "items", "A", "B", "A - B", ""], records)
