"""The command line. Its modules import nothing heavy: what a verb needs is imported when the verb runs."""

from __future__ import annotations

import functools
import io
import sys
from typing import TYPE_CHECKING, Any

import typer

from earwitness.cli import baseline, board, cards, check, run, submit, train
from earwitness.cli.faults import report
from earwitness.errors import FAULT, EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Callable


class InterruptedByUserError(EarwitnessError):
    """The user asked to stop."""

    exit_code = 130


def interruptible(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb, with an interrupt as an error of one line; the parser would call it an abort and exit with 1."""

    @functools.wraps(verb)
    def run_verb(*args: Any, **options: Any) -> None:
        try:
            verb(*args, **options)
        except KeyboardInterrupt:
            raise InterruptedByUserError("interrupted; the same command resumes") from None

    return run_verb


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
    check.check,
    submit.new,
    submit.validate,
    train.train,
):
    app.command()(interruptible(verb))
baselines = typer.Typer(
    name="baseline", help="What `check` compares with.", no_args_is_help=True, rich_markup_mode=None
)
baselines.callback()(lambda: None)
baselines.command()(interruptible(baseline.update))
app.add_typer(baselines)


def main() -> None:
    """Run the command line; an error that a user can cause ends in one line and its exit code.

    So does a fault of the program, with its own code, so that a crash never reads as an answer.
    """
    _survive_ascii()
    try:
        app()
    except EarwitnessError as error:
        print(f"earwitness: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        print(report(error), file=sys.stderr)
        sys.exit(FAULT)


def _survive_ascii() -> None:
    """What a terminal's encoding lacks is written as `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")
