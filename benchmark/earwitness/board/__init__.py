"""The board: every run's rows projected into one DuckDB file that the leaderboard reads. Derived and disposable."""

from __future__ import annotations

from pathlib import Path

from earwitness.board.export import export
from earwitness.board.facts import read_runs
from earwitness.board.printing import print_ranking, ranking_records
from earwitness.board.projection import project
from earwitness.board.store import connect, current, records, write
from earwitness.errors import EarwitnessError
from earwitness.stats.intervals import DEFAULT, Sampling

__all__ = ["build", "connect", "current", "export", "print_ranking", "ranking_records", "records"]


def build(out: Path = Path("runs"), board: Path = Path("board"), sampling: Sampling = DEFAULT) -> Path:
    """Build the board from every run under `out` and return its file.

    Raises EarwitnessError where there is no run with rows, or one of them cannot be read.
    """
    runs = read_runs(out)
    if not runs:
        raise EarwitnessError(f"no run with rows under {out}; make one with `earwitness run`")
    return write(project(runs, out, board, sampling), board)
