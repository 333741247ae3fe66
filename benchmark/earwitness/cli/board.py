"""`earwitness board`, `leaderboard` and `compare`: what reads rows."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli.output import WIDE, Json, notice, print_json, print_table, writable
from earwitness.errors import FAULT, EarwitnessError

if TYPE_CHECKING:
    from earwitness.board import Difference, Pair

BOARD = Path("board")

Runs = Annotated[str, typer.Option(metavar="DIR,..", help="Folders of runs.")]


def board(
    runs: Runs = "runs",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the board.")] = BOARD,
    only: Annotated[
        str, typer.Option(metavar="code|explanations", help="Show those that were run here, or made elsewhere, alone.")
    ] = "",
    notices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The owner's file: who is withdrawn, and tries a month.")
    ] = None,
    json: Json = False,
) -> None:
    """Build the board from the runs' rows and print the ranking; exits with 4 where a run cannot be read or is not let
    in."""
    from rich.console import Console

    from earwitness import board as boards

    boards.chosen([], only)
    unread = None
    try:
        path = boards.build(_places(runs), writable(out, "--out"), say=notice, notices=notices)
    except boards.UnreadRunsError as error:
        path, unread = error.path, error
    if json:
        print_json(boards.ranking_records(path, only))
    else:
        boards.print_ranking(path, Console(width=None if sys.stdout.isatty() else WIDE), only)
    if unread is not None:
        raise unread


def _places(runs: str) -> list[Path]:
    places = [Path(place.strip()) for place in runs.split(",") if place.strip()]
    if not places:
        raise EarwitnessError("--runs names no folder")
    return places


def leaderboard(
    board: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the board.")] = BOARD,
    export: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a static page instead of serving.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8501,
) -> None:
    """Serve the leaderboard of the board, or write it as a static page."""
    from earwitness import board as boards

    if export is not None:
        print(boards.export(board, writable(export, "--export")))
        return
    boards.connect(board).close()
    _refuse_port(port)
    _serve(board, port)


def _refuse_port(port: int) -> None:
    """Stop with one line where nothing can be served on a port; the page would end with an exit code of its own."""
    import socket

    with socket.socket() as probe:
        # As a server does: a port that was left a minute ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise EarwitnessError(f"port {port}: {error.strerror}; choose another one with --port") from error


def _serve(board: Path, port: int) -> None:
    import os
    import subprocess

    from earwitness import registry
    from earwitness.extras import not_installed

    if find_spec("streamlit") is None or find_spec("altair") is None:
        raise not_installed("the page's streamlit", "page")
    page = registry.home("leaderboard") / "app.py"
    if not page.is_file():
        raise EarwitnessError(f"{page}: no such page; install earwitness again")
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    # Headless, or a first start would ask for an e-mail address and wait.
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    environment = {**os.environ, "EARWITNESS_BOARD": str(board.resolve())}
    print(f"http://localhost:{port}", flush=True)
    try:
        code = subprocess.run(command, check=False, env=environment).returncode
    except KeyboardInterrupt:
        return
    if code > 0:
        # Not its own code: 1 would be an answer.
        print(f"earwitness: the page ended with exit code {code}; what it printed says why", file=sys.stderr)
        raise typer.Exit(FAULT)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of a run, or a submission that was run.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    runs: Runs = "runs",
    task: Annotated[str | None, typer.Option(metavar="ID", help="Only this task, default: all that both ran.")] = None,
    json: Json = False,
) -> None:
    """Compare two runs or submissions on the items that both ran, metric by metric."""
    from earwitness import board as boards

    pairs = boards.compare(first, second, _places(runs), task)
    if json:
        print_json([_finite(asdict(pair)) for pair in pairs])
        return
    for pair in pairs:
        _print_pair(pair)


def _print_pair(pair: Pair) -> None:
    title = f"{pair.task}: {pair.items} items in {pair.clusters} clusters\nA {pair.first}\nB {pair.second}"
    fewer = any(difference.items != pair.items for difference in pair.differences)
    columns = ["metric", *(["items"] if fewer else []), "A", "B", "A - B", "P(A)", "p", ""]
    print_table(title, columns, [_cells(difference, fewer) for difference in pair.differences])
    print(
        f"Verdicts, p and intervals: sign-flip tests on clusters, both sides, adjusted (max-T) over the {pair.family} "
        "metrics of this table that have a direction, at p < .05; + higher is more faithful, - lower is. P(A): share "
        "of items on which A is more faithful, ties counted half. In brackets: items that would tell a difference as "
        "large as this one, with 80 % power."
    )
    if any(difference.margin is not None for difference in pair.differences):
        print("Equivalent: the whole interval lies within 5 % of the way from the random explainer to the ceiling.")
    for note in pair.notes:
        print(note)


def _cells(found: Difference, items: bool) -> list[str]:
    from earwitness.board.cells import probability

    sign = {"higher": " +", "lower": " -"}.get(found.direction, "")
    interval = f"{found.difference:+.3f} [{found.low:+.3f} {found.high:+.3f}]"
    share = "" if found.improvement is None else f"{found.improvement:.2f}"
    means = [f"{found.first:.3f}", f"{found.second:.3f}"]
    cells = [
        found.metric + sign,
        *([str(found.items)] if items else []),
        *means,
        interval,
        share,
        probability(found.p),
        _verdict(found),
    ]
    return [cell.replace("+nan", "-").replace("nan", "-") for cell in cells]


def _verdict(found: Difference) -> str:
    """The verdict; where nothing is told, how many items would tell a difference as large."""
    if found.verdict != "not told apart" or found.needed is None or not math.isfinite(found.needed):
        return found.verdict
    return f"{found.verdict} ({found.needed:.0f})"


def _finite(value: Any) -> Any:
    """The value with null where a number is not finite."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
