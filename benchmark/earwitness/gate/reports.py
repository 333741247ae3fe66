"""A report as a table for people, JSON, JUnit XML and Markdown."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from earwitness.errors import NO, NOT_COMPARABLE
from earwitness.gate.rules import Mode
from earwitness.gate.verdicts import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from earwitness.errors import EarwitnessError
    from earwitness.gate.verdicts import CheckReport, RuleVerdict

ORDER = (Outcome.REGRESSION, Outcome.INCONCLUSIVE, Outcome.PASS)
STYLES = {Outcome.REGRESSION: "bold red", Outcome.INCONCLUSIVE: "yellow", Outcome.PASS: "green"}
COLUMNS = ("verdict", "submission", "task", "metric", "baseline", "run", "effect", "margin", "p", "smallest", "items")
SUITE = "earwitness check"
UNCHANGED = "nothing changed"
"""Of a check of branch against base whose sides are one."""


def print_report(report: CheckReport, console: Console) -> None:
    """Print a table for each submission on a task, regressions first, and a sentence on what is no pass."""
    from rich.table import Table
    from rich.text import Text

    shown = [COLUMNS[0], *COLUMNS[3:]]
    tables: dict[str, Table] = {}
    for verdict in _sorted(report):
        title = f"{verdict.submission} on {verdict.task}"
        table = tables.setdefault(title, Table(title=title, title_justify="left", pad_edge=False))
        if not table.columns:
            for column in shown:
                table.add_column(column, overflow="fold")
        cells = _cells(verdict)
        table.add_row(Text(cells[0], STYLES[verdict.outcome]), *(Text(cell) for cell in cells[3:]))
    for table in tables.values():
        console.print(table)
    for line in (*map(sentence, _told(report)), *report.notes, _headline(report)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def to_json(report: CheckReport) -> str:
    """The report as JSON text; a number that is not finite is null."""
    return json.dumps(
        {
            "mode": report.mode.value,
            "exit_code": report.exit_code,
            "verdicts": [_record(verdict) for verdict in _sorted(report)],
            "notes": list(report.notes),
            "left_out": list(report.left_out),
        },
        indent=2,
    )


def to_junit(report: CheckReport) -> str:
    """The report as JUnit XML: one test case a verdict; what fails the check is a failure, else no pass is skipped."""
    suite = _suite(max(len(report.verdicts), 1))
    if not report.verdicts:
        # Some readers take a suite without a case for one that was lost.
        ElementTree.SubElement(suite, "testcase", classname=SUITE, name=UNCHANGED)
    for verdict in _sorted(report):
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{verdict.task}.{verdict.submission}",
            name=f"{verdict.metric}: {verdict.rule.text}",
        )
        if report.refuses(verdict):
            ElementTree.SubElement(case, "failure", type=verdict.outcome.value, message=sentence(verdict))
        elif verdict.outcome is not Outcome.PASS:
            ElementTree.SubElement(case, "skipped", message=sentence(verdict))
        ElementTree.SubElement(case, "system-out").text = " ".join(_figures(verdict))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    _say(suite, (*report.left_out, *report.notes))
    return _document(suite)


def to_markdown(report: CheckReport) -> str:
    """The report as Markdown, for a pull request's summary."""
    lines = [f"### earwitness check: {_headline(report)}", ""]
    lines += [f"- {_escaped(sentence(verdict))}" for verdict in _told(report)] + [""]
    lines += _table(report) if report.verdicts else []
    lines += _listed((*report.left_out, *report.notes))
    return "\n".join(lines) + "\n"


def _table(report: CheckReport) -> list[str]:
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for verdict in _sorted(report):
        cells = [_escaped(cell) for cell in _cells(verdict)]
        if report.refuses(verdict):
            cells[0] = f"**{cells[0]}**"
        lines.append(f"| {' | '.join(cells)} |")
    units = "Effects are in the metric's units; positive is better. Intervals are one-sided at the rule's level."
    return [*lines, "", units]


def error_to_markdown(error: EarwitnessError, left_out: Sequence[str] = ()) -> str:
    """An error that ended a check, as Markdown, with the runs that were left out before."""
    lines = [f"### earwitness check: {_kind(error)}", "", _escaped(str(error)), *_listed(left_out)]
    return "\n".join(lines) + "\n"


def error_to_junit(error: EarwitnessError, left_out: Sequence[str] = ()) -> str:
    """An error that ended a check, as JUnit XML, with the runs that were left out before."""
    suite = _suite(1)
    suite.set("errors", "1")
    case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name=_kind(error))
    ElementTree.SubElement(case, "error", type=type(error).__name__, message=str(error))
    _say(suite, left_out)
    return _document(suite)


def sentence(verdict: RuleVerdict) -> str:
    """What a verdict says, in one line, with the items that got worst.

    A drop that these items could not have seen is named where that is why nothing is proven.
    """
    what = f"{verdict.submission} on {verdict.task}, {verdict.metric}"
    change = f"{_signed(verdict.effect)} [{_signed(verdict.low)} {_signed(verdict.high)}]"
    if verdict.share is not None:
        share, low, high = (f"{100 * value:+.1f}" for value in verdict.share)
        change += f", {share}% [{low} {high}]"
    against = f"margin {_plain(verdict.margin)}, p {_probability(verdict.p)}"
    end = f"; worst items: {', '.join(f'{item} {_signed(effect)}' for item, effect in verdict.worst)}"
    end = end if verdict.worst else ""
    lost = f"; {verdict.failed} of {verdict.items} items failed" if verdict.failed else ""
    if verdict.outcome is Outcome.REGRESSION:
        return f"regression: {what} is worse: {change}, {against}{lost}{end}"
    if verdict.outcome is Outcome.INCONCLUSIVE:
        seen = f"these {verdict.items} items tell no drop below {_plain(verdict.smallest)} from none"
        if not math.isfinite(verdict.smallest):
            seen = f"{verdict.items} items are too few to tell any drop from none"
        return f"inconclusive: {what}: {change}, {against}; {seen}{lost}{end}"
    return f"pass: {what}: {change}, {against}{lost}"


def _cells(verdict: RuleVerdict) -> list[str]:
    items = f"{verdict.items}, {verdict.failed} failed" if verdict.failed else str(verdict.items)
    interval = f"{_signed(verdict.effect)} [{_signed(verdict.low)} {_signed(verdict.high)}]"
    means = [_plain(verdict.before), _plain(verdict.after)]
    tests = [_plain(verdict.margin), _probability(verdict.p), _plain(verdict.smallest)]
    return [verdict.outcome.value, verdict.submission, verdict.task, verdict.metric, *means, interval, *tests, items]


def _figures(verdict: RuleVerdict) -> list[str]:
    return [f"{name} {cell}" for name, cell in zip(COLUMNS[4:], _cells(verdict)[4:], strict=True)]


def _record(verdict: RuleVerdict) -> dict[str, Any]:
    fields = {name: _finite(value) for name, value in vars(verdict).items()}
    fields["worst"] = [{"item": item, "effect": effect} for item, effect in verdict.worst]
    return {**fields, "rule": verdict.rule.text, "outcome": verdict.outcome.value}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sorted(report: CheckReport) -> list[RuleVerdict]:
    """Regressions first, then what is inconclusive; within, the largest loss in margins first."""
    return sorted(report.verdicts, key=lambda verdict: (ORDER.index(verdict.outcome), verdict.effect / verdict.margin))


def _told(report: CheckReport) -> list[RuleVerdict]:
    return [verdict for verdict in _sorted(report) if verdict.outcome is not Outcome.PASS]


def _headline(report: CheckReport) -> str:
    """The answer of the check and the count of its verdicts."""
    if not report.verdicts:
        return f"pass: {UNCHANGED}"
    counts = Counter(verdict.outcome for verdict in report.verdicts)
    counted = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in ORDER if counts[outcome])
    answer = "pass"
    if report.exit_code == NO:
        answer = "regression" if counts[Outcome.REGRESSION] else "not proven"
    mode = "" if report.mode is Mode.PROVEN_WORSE else f" (mode {report.mode.value})"
    return f"{answer}{mode}: {counted}"


def _kind(error: EarwitnessError) -> str:
    return "not comparable" if error.exit_code == NOT_COMPARABLE else "no answer"


def _suite(tests: int) -> ElementTree.Element:
    return ElementTree.Element("testsuite", name=SUITE, tests=str(tests), failures="0", errors="0", skipped="0")


def _say(suite: ElementTree.Element, lines: Sequence[str]) -> None:
    """Put lines that are about no single case beside the cases of a suite."""
    if lines:
        ElementTree.SubElement(suite, "system-out").text = "\n".join(lines)


def _listed(lines: Sequence[str]) -> list[str]:
    return [f"- {_escaped(line)}" for line in lines]


def _document(suite: ElementTree.Element) -> str:
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return " ".join(text.split()).translate({ord(mark): f"\\{mark}" for mark in "|<>*_`[]"})


def _signed(value: float) -> str:
    return f"{value:+.4f}" if math.isfinite(value) else "?"


def _plain(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "none"


def _probability(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
