"""`earwitness check`: the gate."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.output import WIDE, Json, notice
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.gate import CheckReport, Settings

Runs = Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or a folder that holds runs.")]
Against = Annotated[Path | None, typer.Option(metavar="FILE", help="The baseline, default: the pyproject's `against`.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="A rule: 'fid_f worse by >2% at p<0.05'; default: the pyproject's `fail_if`."),
]


def check(
    runs: Runs,
    against: Against = None,
    fail_if: FailIf = None,
    mode: Annotated[str | None, typer.Option(metavar="proven-worse|non-inferior", help="What must be proven.")] = None,
    json: Json = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, too.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown, too.")] = None,
) -> None:
    """Compare runs with a reviewed baseline; exits with 1 where explanations got less faithful.

    Rules, baseline and mode that are not given come from [tool.earwitness.check] of the pyproject.toml.
    """
    from earwitness.gate import reports

    left_out: list[str] = []
    try:
        report = _checked(runs, _settings(against, fail_if, mode), left_out)
    except EarwitnessError as error:
        _write({junit: reports.error_to_junit(error, left_out), markdown: reports.error_to_markdown(error, left_out)})
        raise
    _write({junit: reports.to_junit(report), markdown: reports.to_markdown(report)})
    _print(report, json)
    raise typer.Exit(report.exit_code)


def _settings(against: Path | None, fail_if: list[str] | None, mode: str | None) -> Settings:
    """The pyproject's settings, and what the command line says instead."""
    from earwitness.gate import Mode, Settings, parse, read_settings

    if mode is not None and mode not in list(Mode):
        raise EarwitnessError(f"no mode is called {mode!r}; modes: {', '.join(Mode)}")
    found = read_settings(Path())
    return Settings(
        tuple(parse(rule) for rule in fail_if) if fail_if else found.fail_if,
        against or found.against,
        Mode(mode) if mode else found.mode,
    )


def _checked(runs: list[Path], settings: Settings, left_out: list[str]) -> CheckReport:
    """The report of a check; runs that are left out are said at once, and kept for the files."""
    from earwitness import gate

    def say(line: str) -> None:
        notice(line)
        left_out.append(line)

    baseline = gate.read_baseline(settings.against)
    report = gate.check(gate.read_rows(runs, say), baseline, settings.fail_if, settings.mode)
    return replace(report, left_out=tuple(left_out))


def _print(report: CheckReport, json: bool) -> None:
    from rich.console import Console

    from earwitness.gate import print_report, to_json

    if json:
        print(to_json(report))
    else:
        print_report(report, Console(width=None if sys.stdout.isatty() else WIDE))


def _write(texts: dict[Path | None, str]) -> None:
    """Write the texts whose file is asked for."""
    for path, text in texts.items():
        if path is None:
            continue
        try:
            path.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EarwitnessError(f"cannot write {path}: {reason}; name another file") from error
