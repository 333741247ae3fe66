"""A report as a table for people, JSON, JUnit XML and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from earwitness.gate.verdicts import Report


def print_report(report: Report, console: Console) -> None:
    """Print a table of the verdicts, worst first, with the items that got worst."""
    raise NotImplementedError


def to_json(report: Report) -> str:
    """The report as JSON text."""
    raise NotImplementedError


def to_junit(report: Report) -> str:
    """The report as JUnit XML: one test case a verdict."""
    raise NotImplementedError


def to_markdown(report: Report) -> str:
    """The report as Markdown, for a pull request's summary."""
    raise NotImplementedError
