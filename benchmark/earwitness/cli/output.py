"""What verbs print: tables and JSON on stdout, progress and notices on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.errors import EarwitnessError, shortened, steers
from earwitness.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import Progress as Bars

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
WIDE = 120
"""Columns of a table where stdout is no terminal."""


def notice(line: str) -> None:
    """Say something beside the result, in one line on stderr."""
    print(f"earwitness: {one_line_of(line)}", file=sys.stderr)


def writable(folder: Path, option: str) -> Path:
    """The folder of an option, which may not exist yet; raises EarwitnessError where it can be none or not be written.

    Nothing is made.
    """
    try:
        place = _nearest(folder.absolute())
        if not place.is_dir():
            raise EarwitnessError(f"{option} {folder}: {place} is no folder; name another one")
        # Libraries take texts, not the bytes that stand for what the locale lacks.
        if any(steers(letter) for letter in str(folder.absolute())):
            raise EarwitnessError(
                f"{option} {folder}: a name that is no text in {sys.getfilesystemencoding()}; set PYTHONUTF8=1, or "
                "name another folder"
            )
        if not os.access(place, os.W_OK | os.X_OK):
            raise EarwitnessError(f"{option} {folder}: {place} cannot be written to; name another folder")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EarwitnessError(f"{option} {shortened(str(folder))}: {reason}; name another folder") from error
    return folder


def _nearest(path: Path) -> Path:
    """The path, or the nearest one above it that there is."""
    try:
        path.stat()
    except FileNotFoundError:
        return path if path.is_symlink() else _nearest(path.parent)
    return path


def one_line_of(text: str) -> str:
    """A text as one line without what would steer a terminal.

    >>> one_line_of("no task is called 'a\\x1b[2J'\\nhere")
    "no task is called 'a?[2J' here"
    """
    return "".join("?" if steers(letter) else letter for letter in " ".join(text.split()))


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], records: Sequence[Sequence[str]]) -> None:
    """Print a table; numbers are the caller's to format."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else WIDE)
    table = Table(title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        # A cell that does not fit goes on in the next line: half a path is none.
        table.add_column(column, overflow="fold")
    for record in records:
        table.add_row(*(Text(one_line_of(cell)) for cell in record))
    console.print(table)


class Lines:
    """Progress where nobody watches a terminal: a line where a stage begins, and one a minute while it goes on."""

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Print what begins."""
        self.say(f"{label}: {total}")
        return Pace(label, total, self.say).advance

    def say(self, line: str) -> None:
        """Print a line."""
        print(one_line_of(line), file=sys.stderr, flush=True)


class TerminalBars:
    """Progress bars on a terminal."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Begin a bar."""
        task = self._bars.add_task(label, total=total)
        return lambda steps: self._bars.advance(task, steps)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(one_line_of(line), markup=False, highlight=False)


@contextmanager
def progress() -> Iterator[Lines | TerminalBars]:
    """Bars on a terminal, lines elsewhere, on stderr."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        yield TerminalBars(bars)
