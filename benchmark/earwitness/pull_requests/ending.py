"""How a command about a pull request ends: an error in one line, its exit code, and a page that says the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from earwitness.cli.faults import report as fault
from earwitness.cli.output import notice
from earwitness.errors import FAULT, EarwitnessError, unwritten
from earwitness.pull_requests.page import error_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INTERRUPTED = 130


def ended(report: Path | None, answer: str, work: Callable[[], int]) -> int:
    """Do some work and return its exit code; where it fails the report says why, under an answer in a word."""
    try:
        try:
            return work()
        except EarwitnessError as error:
            write(report, error_page(answer, str(error)))
            raise
    except EarwitnessError as error:
        notice(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        notice("interrupted; the same command resumes")
        return INTERRUPTED
    except Exception as error:
        print(f"earwitness: {fault(error)}", file=sys.stderr)
        return FAULT


def write(report: Path | None, text: str) -> None:
    """Write a page where it is asked for; raises EarwitnessError where it cannot be written."""
    if report is None:
        return
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise unwritten(report, refused, "name another file by --report") from refused
