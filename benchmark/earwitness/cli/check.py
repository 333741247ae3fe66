"""`earwitness check`: the gate."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.entrants import names_of
from earwitness.cli.output import WIDE, Json, notice, progress, writable
from earwitness.cli.run import MOST_ITEMS, Isolation, is_typed, isolated
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.gate import CheckReport, Settings

Runs = Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or a folder that holds runs.")]
SomeRuns = Annotated[
    list[Path] | None, typer.Argument(metavar="[RUN]", help="Folders of runs, or a folder that holds runs.")
]
Against = Annotated[Path | None, typer.Option(metavar="FILE", help="The baseline, default: the pyproject's `against`.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="A rule: 'fid_f worse by >2% at p<0.05'; default: the pyproject's `fail_if`."),
]
OF_BASE = ("task", "submission", "items", "out", "device", "isolation", "trust_task")
"""Options of a check of branch against base."""


def check(
    context: typer.Context,
    runs: SomeRuns = None,
    against: Against = None,
    fail_if: FailIf = None,
    mode: Annotated[str | None, typer.Option(metavar="proven-worse|non-inferior", help="What must be proven.")] = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Instead of runs: the submission here against that of a commit.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="ID[,ID]", help="With --base: tasks, ids or folders.")] = None,
    submission: Annotated[
        str | None, typer.Option(metavar="ID_OR_PATH[,..]", help="With --base: what is compared.")
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, max=MOST_ITEMS, help="With --base: the first N items.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="With --base: a folder that keeps the runs.")] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="With --base: where models run.")] = "auto",
    isolation: Isolation = None,
    trust_task: TrustTask = False,
    json: Json = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, too.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown, too.")] = None,
) -> None:
    """Compare runs with a reviewed baseline, or branch with base; exits with 1 where explanations got less faithful.

    What is not given comes from [tool.earwitness.check] of the pyproject.toml: rules, mode, and the baseline, or task,
    submission and items.
    """
    from earwitness.gate import reports

    left_out: list[str] = []
    try:
        if base is None:
            _refuse_options(context, OF_BASE, "is for --base alone")
            if not runs:
                raise EarwitnessError("nothing to check: name a RUN, or a commit by --base")
            report = _checked(runs, _settings(against, fail_if, mode), left_out)
        else:
            _refuse_options(context, ("runs", "against"), "has no place beside --base, which scores both sides itself")
            settings = _of_base(_settings(None, fail_if, mode), task, submission, items)
            report = _against_base(base, settings, _Where(device, isolation, out, trust_task))
    except EarwitnessError as error:
        _write({junit: reports.error_to_junit(error, left_out), markdown: reports.error_to_markdown(error, left_out)})
        raise
    _write({junit: reports.to_junit(report), markdown: reports.to_markdown(report)})
    _print(report, json)
    raise typer.Exit(report.exit_code)


@dataclass(frozen=True)
class _Where:
    """Where both sides of a branch are run."""

    device: str
    isolation: str | None
    out: Path | None
    trust_task: bool


def _refuse_options(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Raise where one of some options is given."""
    for name in names:
        if is_typed(context, name):
            option = "RUN" if name == "runs" else f"--{name.replace('_', '-')}"
            raise EarwitnessError(f"{option} {why}; leave one of them out")


def _settings(against: Path | None, fail_if: list[str] | None, mode: str | None) -> Settings:
    """The pyproject's settings, and what the command line says instead."""
    from earwitness.gate import Mode, parse, read_settings

    if mode is not None and mode not in list(Mode):
        raise EarwitnessError(f"no mode is called {mode!r}; modes: {', '.join(Mode)}")
    found = read_settings(Path())
    return replace(
        found,
        fail_if=tuple(parse(rule) for rule in fail_if) if fail_if else found.fail_if,
        against=against or found.against,
        mode=Mode(mode) if mode else found.mode,
    )


def _of_base(found: Settings, task: str | None, submission: str | None, items: int | None) -> Settings:
    """The settings with what the command line says of a check of branch against base."""
    found = replace(
        found,
        tasks=tuple(names_of(task, "--task")) if task is not None else found.tasks,
        submissions=tuple(names_of(submission, "--submission")) if submission is not None else found.submissions,
        items=items or found.items,
    )
    for key, names in (("task", found.tasks), ("submission", found.submissions)):
        if not names:
            raise EarwitnessError(f"--base: no {key} is named; give --{key}, or {key} in [tool.earwitness.check]")
    return found


def _against_base(ref: str, settings: Settings, where: _Where) -> CheckReport:
    """The report of a check of branch against base."""
    from earwitness import registry
    from earwitness.box.devices import DEVICES, require
    from earwitness.cli.base import BaseCheck, check_base
    from earwitness.harness import engines

    if where.device not in DEVICES:
        raise EarwitnessError(f"no device is called {where.device!r}; devices: {', '.join(DEVICES)}")
    tasks = tuple(registry.task(name).with_copies(registry.copies(Path.cwd())) for name in settings.tasks)
    submissions = tuple(registry.submission(name) for name in settings.submissions)
    trusted(tasks, where.trust_task)
    require(where.device)
    out = None if where.out is None else writable(where.out, "--out")
    level = isolated(where.isolation)
    asked = BaseCheck(ref, tasks, submissions, settings, settings.items, where.device, level, out)
    with progress() as shown:
        return check_base(asked, engines.get("local"), shown)


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
