"""The check: rows of a run against a baseline, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from earwitness.errors import EarwitnessError, ExplainerFailedError
from earwitness.gate.baseline import refuse_unusable
from earwitness.gate.comparability import refuse_other_tasks
from earwitness.gate.comparison import Compared, compare, rows_of
from earwitness.gate.matching import Match, match
from earwitness.gate.rules import Mode, Rule, RuleError
from earwitness.gate.verdicts import CheckReport, Outcome, RuleVerdict
from earwitness.results.filling import direction
from earwitness.results.rows import Status
from earwitness.stats.intervals import Resampling, widened
from earwitness.stats.paired import cluster_sums, inflation, paired_difference, relative_change, standard_error
from earwitness.stats.power import smallest_detectable
from earwitness.stats.verdicts import AgainstMargins, against_margins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from earwitness.stats.intervals import Array, Interval

Ends = tuple[float, float]
WORST = 5
"""Items that got worst that a verdict names."""
BASE_LEVEL = 0.95
"""Of the interval of a mean that must not touch 0 for a percentage of it to mean anything."""
_SOUGHT = {Mode.PROVEN_WORSE: Outcome.REGRESSION, Mode.NON_INFERIOR: Outcome.PASS}
"""What a mode wants proven."""
TINY = 1e-3
"""A mean of a smaller share of the largest value is no base for a percentage."""


def check(rows: pa.Table, baseline: pa.Table, rules: Sequence[Rule], mode: Mode = Mode.PROVEN_WORSE) -> CheckReport:
    """Compare a run's rows with a baseline's.

    Raises RuleError where a rule is about nothing or asks for a percentage of a mean near zero, NotComparableError
    where task, model, data or seeds differ, ExplainerFailedError where a submission has no value on a task, and
    EarwitnessError where rows are empty or doubled, or nothing is shared.
    """
    refuse_unusable(rows, "the run")
    refuse_unusable(baseline, "the baseline")
    if not rules:
        raise EarwitnessError("no rule says what is worse; give --fail-if, or fail_if in [tool.earwitness.check]")
    matches = match(rules, rows, baseline)
    columns: list[_Column] = []
    notes = list(matches.notes)
    for task, submission in dict.fromkeys((found.task, found.submission) for found in matches.found):
        notes += refuse_other_tasks(rows_of(rows, task, submission), rows_of(baseline, task, submission), task)
        _refuse_failed(rows, task, submission)
        found = [one for one in matches.found if (one.task, one.submission) == (task, submission)]
        compared = compare(rows, baseline, task, submission, list(dict.fromkeys(one.metric for one in found)))
        notes += compared.notes
        columns += [_Column(one, compared, compared.metrics.index(one.metric)) for one in found]
    columns = [column for column in columns if column.items]
    for rule in rules:
        if not any(column.found.rule is rule for column in columns):
            raise RuleError(f"rule {rule.text!r} is about no metric that has a value")
    _refuse_small_means(columns)
    return CheckReport(tuple(_judged(columns, mode)), mode, tuple(notes))


class _Column:
    """One comparison: a rule's metric of a submission on a task."""

    def __init__(self, found: Match, compared: Compared, number: int) -> None:
        self.found = found
        self.compared = compared
        self.number = number
        self.before, self.after = compared.before[:, number], compared.after[:, number]
        self.gain = direction(found.metric) * (self.after - self.before)
        """[N] positive where the run is better."""
        self.least = direction(found.metric) * (compared.after_at_worst[:, number] - self.before)
        """[N] the gain with what newly failed at the worst: failing on its worst items must make no run pass."""
        self.present = ~np.isnan(self.gain)
        self.items = int(self.present.sum()) if compared.has_value[number] else 0

    @property
    def mean(self) -> float:
        """The baseline's mean."""
        return float(np.nanmean(self.before))

    @property
    def margin(self) -> float:
        """The rule's margin in the metric's units."""
        rule = self.found.rule
        return rule.margin * abs(self.mean) if rule.relative else rule.margin

    @property
    def clusters(self) -> int:
        """Clusters that have an item."""
        return len(np.unique(self.compared.clusters[self.present]))

    @property
    def reach_of_mean(self) -> float:
        """Half the width of the interval of the baseline's mean, by t."""
        error = standard_error(self.before[:, None], self.compared.clusters)[0]
        return float(t.ppf((1 + BASE_LEVEL) / 2, self.clusters - 1) * error) if self.clusters > 1 else float("inf")

    @property
    def error(self) -> float:
        """Standard error of the mean gain."""
        return float(standard_error(self.gain[:, None], self.compared.clusters)[0]) * self.inflation

    @cached_property
    def inflation(self) -> float:
        """By how much crossed clusters raise the standard error."""
        return float(inflation(self.gain[:, None], self.compared.ways)[0])


def _refuse_failed(rows: pa.Table, task: str, submission: str) -> None:
    """Raise ExplainerFailedError where a submission has no value on a task."""
    own = rows_of(rows, task, submission)
    statuses = own["status"].to_pylist()
    if Status.OK not in statuses:
        number = next((i for i, status in enumerate(statuses) if status != Status.SKIPPED), 0)
        raise ExplainerFailedError(
            f"{submission} on {task}: none of {len(set(own['item'].to_pylist()))} items has a value: "
            f"{statuses[number]}: {own['reason'][number].as_py()}"
        )


def _refuse_small_means(columns: Sequence[_Column]) -> None:
    """Raise where a rule asks for a percentage of a mean whose interval touches 0."""
    for column in columns:
        found, mean = column.found, column.mean
        if not found.rule.relative:
            continue
        reach = column.reach_of_mean
        if not abs(mean) > reach or abs(mean) < TINY * float(np.nanmax(np.abs(column.before))):
            raise RuleError(
                f"rule {found.rule.text!r}: {found.metric} of {found.submission} on {found.task} has a mean of "
                f"{mean:.4g} [{mean - reach:.4g} {mean + reach:.4g}], too near 0 for a percentage of it; give an "
                "absolute margin: 'by >0.01'"
            )


def _judged(columns: Sequence[_Column], mode: Mode) -> list[RuleVerdict]:
    levels = np.array([column.found.rule.level for column in columns])
    tests = _tested(columns, float(levels.min()))
    errors = np.array([column.error for column in columns])
    counts = np.array([column.clusters for column in columns])
    smallest = smallest_detectable(errors, counts, levels / len(columns))
    ends = _ends(columns, _gains)
    relative = [column for column in columns if column.found.rule.relative]
    shares = dict(zip(map(id, relative), _ends(relative, _shares), strict=True))
    verdicts = []
    for number, column in enumerate(columns):
        level, margin = column.found.rule.level, column.margin
        outcome = outcome_of(
            mode, tests.worse[number] < level, tests.within[number] < level, bool(smallest[number] <= margin)
        )
        p = tests.worse[number] if Outcome.REGRESSION in (outcome, _SOUGHT[mode]) else tests.within[number]
        figures = _Figures(float(p), float(smallest[number]), ends[number], shares.get(id(column)))
        verdicts.append(_verdict(column, outcome, figures))
    return verdicts


def outcome_of(mode: Mode, worse: bool, within: bool, powerful: bool) -> Outcome:
    """What a mode makes of a loss proven above the margin, one proven below it, and power to see the margin."""
    if worse:
        return Outcome.REGRESSION
    passed = (within and powerful) if mode is Mode.NON_INFERIOR else (within or powerful)
    return Outcome.PASS if passed else Outcome.INCONCLUSIVE


def _tested(columns: Sequence[_Column], level: float) -> AgainstMargins:
    """Both tests of every comparison against its margin, at once."""
    worse = _padded(columns, [np.where(c.least < c.gain, np.minimum(c.gain, 0.0), c.gain) for c in columns])
    return against_margins(worse, _padded(columns, [column.least for column in columns]), level)


def _padded(columns: Sequence[_Column], gains: Sequence[Array]) -> Array:
    """[C, K] sums of each column's gains [N] above its margin by cluster, rows of zeros where it has fewer clusters.

    Where crossed clusters widen a column, its mean is moved to 0 until it is as far in standard errors as they say.
    """
    sums = []
    for column, gain in zip(columns, gains, strict=True):
        above = (gain + column.margin)[:, None]
        above = above - (1 - 1 / column.inflation) * np.nanmean(above)
        sums.append(cluster_sums(above, column.compared.clusters))
    padded = np.zeros((max(len(some) for some in sums), len(columns)))
    for number, some in enumerate(sums):
        padded[: len(some), number] = some[:, 0]
    return padded


def _ends(columns: Sequence[_Column], compute: Callable[[Sequence[_Column], Resampling], Interval]) -> list[Ends]:
    """Ends of an interval of each column; columns of one set of items and one level are computed together."""
    groups: dict[tuple[int, float], list[int]] = {}
    for number, column in enumerate(columns):
        groups.setdefault((id(column.compared), column.found.rule.level), []).append(number)
    ends: dict[int, Ends] = {}
    for (_, level), numbers in groups.items():
        found = compute([columns[number] for number in numbers], Resampling(level=1 - 2 * level))
        found = widened(found, np.array([columns[number].inflation for number in numbers]))
        ends.update({number: (float(found.low[i]), float(found.high[i])) for i, number in enumerate(numbers)})
    return [ends[number] for number in range(len(columns))]


def _gains(columns: Sequence[_Column], sampling: Resampling) -> Interval:
    """Mean gains of columns of one set of items."""
    gains = np.stack([column.gain for column in columns], axis=1)
    return paired_difference(gains, np.zeros_like(gains), columns[0].compared.clusters, sampling)


def _shares(columns: Sequence[_Column], sampling: Resampling) -> Interval:
    """Mean gains of columns of one set of items, as shares of the baseline's means."""
    before = np.stack([column.before for column in columns], axis=1)
    gains = np.stack([column.gain for column in columns], axis=1)
    return relative_change(before + gains, before, columns[0].compared.clusters, sampling)


@dataclass(frozen=True)
class _Figures:
    """What is computed of a comparison together with others."""

    p: float
    smallest: float
    ends: Ends
    share: Ends | None


def _verdict(column: _Column, outcome: Outcome, figures: _Figures) -> RuleVerdict:
    compared, found = column.compared, column.found
    effect = float(np.nanmean(column.gain))
    order = np.argsort(np.where(column.present, column.gain, np.inf), kind="stable")[:WORST]
    return RuleVerdict(
        rule=found.rule,
        task=found.task,
        submission=found.submission,
        metric=found.metric,
        outcome=outcome,
        effect=effect,
        low=figures.ends[0],
        high=figures.ends[1],
        share=None if figures.share is None else (effect / abs(column.mean), *figures.share),
        p=figures.p,
        smallest=figures.smallest,
        items=column.items,
        failed=int(compared.failed[:, column.number].sum()),
        worst=tuple((compared.items[i], float(column.gain[i])) for i in order if column.gain[i] < 0),
        margin=column.margin,
        before=column.mean,
        after=float(np.nanmean(column.after)),
    )
