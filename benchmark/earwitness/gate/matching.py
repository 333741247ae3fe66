"""Which rules are about which metrics of a run, and why one is about none."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from earwitness import metrics as declared
from earwitness.errors import EarwitnessError, nearest
from earwitness.gate.rules import Rule, RuleError
from earwitness.results.cube import FLOOR
from earwitness.results.filling import direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

Pair = tuple[str, str]
"""A task and a submission."""


@dataclass(frozen=True)
class Match:
    """A rule, and a metric of a submission on a task that it is about."""

    rule: Rule
    task: str
    submission: str
    metric: str


@dataclass(frozen=True)
class Matches:
    """What is compared, and what is not."""

    found: tuple[Match, ...]
    notes: tuple[str, ...]


def match(rules: Sequence[Rule], run: pa.Table, baseline: pa.Table) -> Matches:
    """Every metric of the baseline that a rule is about, for submissions and tasks that the run has too.

    Raises RuleError where a rule is about nothing, EarwitnessError where run and baseline share no submission on a
    task.
    """
    before, after = _metrics(baseline), _metrics(run)
    for rule in rules:
        _refuse_unknown_names(rule, before, after)
    shared = sorted(before.keys() & after.keys())
    if not shared:
        raise EarwitnessError(
            f"run and baseline share no submission on a task: the run has {_pairs(after)}, the baseline has "
            f"{_pairs(before)}; add the run's rows with `earwitness baseline update`"
        )
    entrants = [pair for pair in shared if pair[1] != FLOOR] or shared
    found = [
        Match(rule, task, submission, metric)
        for rule in rules
        for task, submission in entrants
        for metric in before[task, submission]
        if rule.matches(task, metric) and direction(metric)
    ]
    for rule in rules:
        if not any(entry.rule is rule for entry in found):
            raise RuleError(f"rule {rule.text!r} is about no metric with a direction that run and baseline share")
    return Matches(tuple(found), tuple(_left_out(rules, before, after)))


def _metrics(rows: pa.Table) -> dict[Pair, list[str]]:
    """Metrics of each submission on each task."""
    found: dict[Pair, list[str]] = {}
    keys = rows.group_by(["task", "submission", "metric"]).aggregate([]).to_pylist()
    for key in sorted(keys, key=lambda key: tuple(key.values())):
        found.setdefault((key["task"], key["submission"]), []).append(key["metric"])
    return found


def _refuse_unknown_names(rule: Rule, before: dict[Pair, list[str]], after: dict[Pair, list[str]]) -> None:
    """Raise where a rule names a metric or a task that there is not, or a task that one side lacks."""
    known = {metric for side in (before, after) for metrics in side.values() for metric in metrics}
    if not any(rule.matches_metric(metric) for metric in known):
        names = {declared.name_of(metric) for metric in known}
        near = nearest(rule.metrics, known | names | declared.all_metrics().keys(), "there are", sorted(names))
        raise RuleError(f"rule {rule.text!r}: no row has a metric {rule.metrics!r}; {near}")
    if not any(direction(metric) for metric in known if rule.matches_metric(metric)):
        raise RuleError(f"rule {rule.text!r}: {rule.metrics} only describes, no value of it is worse than another")
    old, new = ({task for task, _ in side if fnmatchcase(task, rule.tasks)} for side in (before, after))
    if not old | new:
        tasks = {task for side in (before, after) for task, _ in side}
        near = nearest(rule.tasks, tasks, "there are")
        raise RuleError(f"rule {rule.text!r}: no row is of a task {rule.tasks!r}; {near}")
    if not old or not new:
        side, other = ("run", sorted(old)) if old else ("baseline", sorted(new))
        raise EarwitnessError(f"rule {rule.text!r}: the {side} has no rows of {', '.join(other)}{_advice(side)}")


def _advice(side: str) -> str:
    return "; run it first" if side == "run" else "; add them with `earwitness baseline update`"


def _left_out(rules: Sequence[Rule], before: dict[Pair, list[str]], after: dict[Pair, list[str]]) -> list[str]:
    """A line for each submission on a task that rules are about and that only one side has."""
    notes = []
    for task, submission in sorted(before.keys() ^ after.keys()):
        if submission != FLOOR and any(fnmatchcase(task, rule.tasks) for rule in rules):
            side = "run" if (task, submission) in before else "baseline"
            notes.append(f"not compared: {submission} on {task}, of which the {side} has no rows")
    return notes


def _pairs(side: dict[Pair, list[str]]) -> str:
    return ", ".join(f"{submission} on {task}" for task, submission in sorted(side))
