"""The board: every run's rows projected into one DuckDB file that the leaderboard reads.

Derived and disposable, but for what it keeps from build to build: its history, and who ever had rows on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from earwitness.board.curves import parted
from earwitness.board.export import export
from earwitness.board.life import build_of
from earwitness.board.origins import chosen
from earwitness.board.pairs import Difference, Pair, compare
from earwitness.board.printing import print_ranking, ranking_records
from earwitness.board.projection import project
from earwitness.board.store import connect, current, records, write
from earwitness.errors import ITEM_FAILED, EarwitnessError
from earwitness.results.folders import open_runs
from earwitness.stats.intervals import DEFAULT, Resampling
from earwitness.submission_card import today

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

__all__ = [
    "Difference",
    "Pair",
    "UnreadRunsError",
    "build",
    "chosen",
    "compare",
    "connect",
    "current",
    "export",
    "print_ranking",
    "ranking_records",
    "records",
]


class UnreadRunsError(EarwitnessError):
    """Runs that cannot be read were left out of a board that was built of the others."""

    exit_code = ITEM_FAILED

    def __init__(self, path: Path, reasons: Sequence[str]) -> None:
        super().__init__(f"left out of the board: {'; '.join(reasons)}")
        self.path = path
        """The board's file."""


def build(
    runs: Path | Sequence[Path] = Path("runs"),
    board: Path = Path("board"),
    sampling: Resampling = DEFAULT,
    say: Callable[[str], None] = lambda _: None,
    notices: Path | None = None,
    on: date | None = None,
) -> Path:
    """Build the board from every run in a folder, or in several, and return its file; `say` is told of runs that have
    no rows yet.

    `notices` is the owner's file (docs/hosting.md); `on` the day that it is, today by default, which decides who is
    anonymous. What a board in that folder keeps from build to build is gone on with.

    Raises EarwitnessError where there is no run with rows but at other budgets, or the notices are at odds with the
    runs, and UnreadRunsError, once the board of the others is built, where a run cannot be read or is not let in.
    """
    places = [runs] if isinstance(runs, Path) else list(runs)
    for place in places:
        if len(places) > 1 and not place.is_dir():
            raise EarwitnessError(f"{place}: no such folder of runs")
    found, unread = open_runs(places)
    begun = [left.reason for left in unread if left.begun]
    reasons = [left.reason for left in unread if not left.begun]
    if not found:
        reasons += begun
        why = f" that can be read ({'; '.join(reasons)})" if reasons else ""
        names = ", ".join(map(str, places))
        raise EarwitnessError(f"no run with rows under {names}{why}; make one with `earwitness run`")
    if not parted(found)[0]:
        parents = sorted({run.recipe["submission"]["budget"]["of"] for run in found})
        raise EarwitnessError(f"every run here is another budget of {', '.join(parents)}; run these themselves, too")
    for line in begun:
        say(f"left out: {line}")
    life = build_of(found, board, notices, on or today(), say)
    # Threads of small products of matrices wait for one another, and sum in another order: one is faster, and the same
    # rows are the same board whatever the environment says.
    with threadpool_limits(1):
        ranking = project(life.admission.kept, board, sampling, life.on)
    path = write({**ranking, **life.tables(ranking)}, board)
    reasons += life.admission.left_out
    if reasons:
        raise UnreadRunsError(path, reasons)
    return path
