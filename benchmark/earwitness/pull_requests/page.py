"""The page that a pull request's submission gets: the summary of the run, and what the comment is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from earwitness.errors import short, shortened
from earwitness.pull_requests.text import code, plain, table
from earwitness.submission_card import today

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.board.entrant import ComparisonFamily, PairedComparison
    from earwitness.harness.session import RunOutcome
    from earwitness.pull_requests.scoring import Findings, TaskResult

TITLE = "### earwitness submission"
REASONS = 5
"""Kinds of failures of a run that are told."""
LONGEST = 200
"""Letters of a text of the submission's."""


def error_page(answer: str, line: str) -> str:
    """The page of a pull request that was not scored, with the one line that says why."""
    return f"{TITLE}: {answer}\n\n{plain(short(line))}\n"


def page(found: Findings, scope: str = "") -> str:
    """All that is said of a submission, as Markdown; `scope` says what else its branch changes."""
    card = found.submission.card.as_shown(today())
    lines = [f"{TITLE}: {code(card.id)} {_answer(found)}", ""]
    authors = ", ".join(card.authors) or "nobody"
    lines += [f"{_text(card.title)}, by {_text(authors)}; licence {_text(card.licence)}; {card.kind}.", ""]
    lines += [f"- scope: {plain(scope)}"] if scope else []
    lines += _validation(found)
    for result in found.results:
        lines += _task(found, result)
    if found.results:
        lines += [_rerun(found), ""]
    return "\n".join(lines)


def _answer(found: Findings) -> str:
    if not found.validation.valid:
        return "is invalid"
    if found.failed:
        return "fails"
    counts = ", ".join(f"{result.outcomes[0].items} items of {code(result.task.id)}" for result in found.results)
    return f"explains {counts}"


def _validation(found: Findings) -> list[str]:
    report = found.validation
    lines = [f"- validate: wrong: {_text(line)}" for line in report.findings]
    lines += [f"- validate: not looked at: {_text(line)}" for line in report.unchecked]
    if report.valid:
        lines = [f"- validate: nothing is wrong, {len(report.checked)} checks"]
    lines += [f"- validate: {_text(line)}" for line in report.notes]
    if found.submission.card.explanations:
        level = "- its explanations were made elsewhere: no code was run, and what they cost is unverified"
    else:
        level = f"- its code ran in a box of {code(found.isolation)}, which held neither truth nor network nor a secret"
    return [*lines, level, ""]


def _task(found: Findings, result: TaskResult) -> list[str]:
    card = result.task.card
    lines = [f"#### {code(card.id)} {card.version}", "", *_runs(result.outcomes)]
    if trouble := [f"- {line}" for outcome in result.outcomes for line in _trouble(outcome)]:
        lines += [*trouble, ""]
    if result.comparisons is None:
        return [*lines, f"No verdicts: {plain(result.reason)}.", ""]
    return [*lines, *_comparisons(found.submission.id, result.comparisons), *_power(result, result.comparisons)]


def _runs(outcomes: Sequence[RunOutcome]) -> list[str]:
    records = [
        [
            code(outcome.run.submission.id),
            str(outcome.items - outcome.failed),
            str(outcome.failed),
            f"{outcome.seconds:.2f}",
            code(outcome.run.folder.name) if outcome.begun else "not begun",
        ]
        for outcome in outcomes
    ]
    return table(["entrant", "ok", "failed", "CPU s", "run"], records)


def _trouble(outcome: RunOutcome) -> list[str]:
    """A line for each way in which a run is not whole."""
    name = code(outcome.run.submission.id)
    reasons = list(outcome.reasons.items())
    lines = [f"{name}: {count} failed: {_text(reason)}" for reason, count in reasons[:REASONS]]
    if len(reasons) > REASONS:
        lines.append(f"{name}: {sum(count for _, count in reasons[REASONS:])} failed for other reasons")
    return lines + [f"{name}: {_text(error)}" for error in outcome.errors]


def _comparisons(name: str, found: ComparisonFamily) -> list[str]:
    columns = ["metric", "against", plain(name), "it", "gain", "smallest", "p", "verdict"]
    return table(columns, [_cells(one) for one in found.comparisons])


def _cells(one: PairedComparison) -> list[str]:
    gain = f"{_number(one.gain, '+')} ({_number(one.low, '+')} to {_number(one.high, '+')})"
    means = [_number(one.mine), _number(one.other)]
    return [code(one.metric), code(one.against), *means, gain, *_tests(one), _verdict(one)]


def _tests(one: PairedComparison) -> list[str]:
    """The smallest gain that is told, and p; a gain that is the same on every item has none."""
    return [_number(one.smallest) if one.smallest > 0 else "none", _probability(one.p)]


def _verdict(one: PairedComparison) -> str:
    """The engine's word; where nothing is told, how many items would tell a gain like this one."""
    if one.verdict != "not told apart" or not math.isfinite(one.needed):
        return one.verdict
    return f"{one.verdict}; {one.needed:,.0f} items would"


def _power(result: TaskResult, found: ComparisonFamily) -> list[str]:
    """What verdicts are and what so few items allow."""
    few = f"{found.items} of {result.task.card.dataset.items:,} items were run"
    if not any(math.isfinite(one.smallest) for one in found.comparisons):
        few += ", on which not even the same gain on every item would be told"
    return [
        f"Gains above 0 are more faithful. Verdicts, p and intervals: sign-flip tests on {found.clusters} clusters, "
        f"adjusted (max-T) over the {found.family} gains of this table, at p \\< .05; smallest: the gain that these "
        "items tell from none with 80 % power. Failed items count as the floor.",
        "",
        f"{few}. This is a trial, and no rank: that takes all items.",
        "",
    ]


def _rerun(found: Findings) -> str:
    name, tasks = found.submission.id, ",".join(result.task.id for result in found.results)
    command = f"earwitness run --untrusted --task {tasks} --submission {name}"
    return f"All items: {code(command)}, then {code('earwitness board')}."


def _text(text: str) -> str:
    """A text that the submission, or its code, says."""
    return plain(shortened(" ".join(text.split()), LONGEST))


def _number(value: float, sign: str = "") -> str:
    if math.isnan(value):
        return "none"
    # No -0.000: rounding is no loss.
    return f"{round(value, 3) + 0.0:{sign}.3f}" if math.isfinite(value) else "no end"


def _probability(p: float) -> str:
    if math.isnan(p):
        return "none"
    return f"{p:.3f}" if p >= 0.001 else "\\<.001"
