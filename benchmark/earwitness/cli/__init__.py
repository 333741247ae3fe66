"""The command line. Its modules import nothing heavy: what a verb needs is imported when the verb runs."""

from __future__ import annotations

import sys

import typer

from earwitness.cli import board, cards, run, submit, train
from earwitness.errors import EarwitnessError

INTERRUPTED = 130

app = typer.Typer(
    name="earwitness",
    help="Does the explanation say what the model actually heard?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (
    cards.tasks,
    cards.submissions,
    run.run,
    run.score,
    run.verify,
    board.board,
    board.leaderboard,
    board.compare,
    submit.new,
    submit.validate,
    train.train,
):
    app.command()(verb)


def main() -> None:
    """Run the command line; an error that a user can cause ends in one line and its exit code."""
    try:
        app()
    except EarwitnessError as error:
        print(f"earwitness: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("earwitness: interrupted; the same command resumes", file=sys.stderr)
        sys.exit(INTERRUPTED)
