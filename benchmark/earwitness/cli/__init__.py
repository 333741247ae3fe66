"""The command line. Its modules import nothing heavy: what a verb needs is imported when the verb runs."""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli import audit, baseline, board, cards, check, explain, items, run, submit, train
from earwitness.cli.faults import report
from earwitness.cli.once import OnceCommand
from earwitness.cli.output import one_line_of
from earwitness.errors import FAULT, USAGE, EarwitnessError, shortened
from earwitness.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


FUTURE = "ignore::FutureWarning"
CLOSED_PIPE = 141
"""Exit code of a tool whose reader has gone, as the shell reports it: 128 and the number of SIGPIPE."""
OF_THE_MACHINE = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE),
        *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EIO),
    }
)
"""Errors of a file or folder that the user can mend."""


UsageError: Any = typer.BadParameter.__mro__[1]
"""The parser's error of a command line; the parser does not export it."""


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
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"earwitness {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


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
    items.items,
    explain.explain,
    submit.new,
    submit.validate,
    train.train,
    audit.audit,
):
    app.command(cls=OnceCommand)(interruptible(verb))
baselines = typer.Typer(
    name="baseline", help="What `check` compares with.", no_args_is_help=True, rich_markup_mode=None
)
baselines.callback()(lambda: None)
baselines.command(cls=OnceCommand)(interruptible(baseline.update))
app.add_typer(baselines)


def main() -> None:
    """Run the command line; an error that a user can cause ends in one line and its exit code.

    So does a fault of the program, with its own code, so that a crash never reads as an answer.
    """
    _survive_ascii()
    quieten()
    try:
        code = _run()
    except BrokenPipeError:
        code = CLOSED_PIPE
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # The interpreter would try to write once more, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def quieten() -> None:
    """Keep what libraries foretell of their own future from those who read verdicts, here and in processes begun later.

    Whoever asks Python for warnings (`-W`, PYTHONWARNINGS) is told them.
    """
    if not sys.warnoptions:
        sys.warnoptions.append(FUTURE)
        warnings.filterwarnings("ignore", category=FutureWarning)


def _run() -> int:
    """Run the command line and return its exit code, errors said; raises BrokenPipeError where nobody reads."""
    known = _faults()
    try:
        # Not standalone: the parser would exit with 1 where it is interrupted.
        code = app(prog_name="earwitness", standalone_mode=False) or 0
        sys.stdout.flush()
        _say_faults(known)
        return int(code)
    except EarwitnessError as error:
        _say(str(error))
        _say_faults([*known, *(fault for fault in _faults() if fault in str(error))])
        return error.exit_code
    except BrokenPipeError:
        raise
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted; the same command resumes")
        return InterruptedByUserError.exit_code
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, BrokenPipeError):
            # The parser exits with 1, which would be an answer.
            raise error.__context__ from None
        if isinstance(error, UsageError):
            return _misused(error)
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            _say(f"cannot read or write {shortened(str(error.filename or 'what was asked for'))}: {error.strerror}")
            return USAGE
        _say(report(error))
        return FAULT


def _faults() -> list[str]:
    """A line for each plug-in that was looked at and is of no use; nothing is imported to tell."""
    plugins = sys.modules.get("earwitness.plugins")
    return list(plugins.faults()) if plugins else []


def _say_faults(known: Collection[str]) -> None:
    """Say which plug-ins the verb looked at in vain, but for what is known."""
    for fault in _faults():
        if fault not in known:
            _say(fault)


def _misused(error: UsageError) -> int:
    """Say in one line what the parser refuses; without any word it shows its help instead."""
    context = error.ctx
    if context is not None and error.format_message() == context.get_help():
        print(error.format_message(), file=sys.stderr)
    else:
        verb = context.command_path.split()[1:] if context is not None else []
        _say(f"{error.format_message().rstrip('.')}; see `{' '.join(['earwitness', *verb, '--help'])}`")
    return USAGE


def _say(line: str) -> None:
    """Print a message as one line, without what would steer a terminal."""
    with suppress(OSError):
        print(f"earwitness: {one_line_of(line)}", file=sys.stderr)


def _survive_ascii() -> None:
    """What a terminal's encoding lacks is written as `?`: letters in ASCII, undecodable bytes of names anywhere."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
