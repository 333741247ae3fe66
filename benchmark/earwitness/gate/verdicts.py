"""Verdicts: what the rows of a run prove about a rule.

What the verdicts mean. A rule sets a margin: the loss that is still accepted. Every metric that a rule is about is
compared item by item and seed by seed; items of one cluster count as one. Two hypotheses are tested by flipping the
signs of clusters: that the loss is at most the margin, and that it is at least the margin. Each family of p-values is
Holm-adjusted over all rules, tasks, submissions and metrics of the check, and compared with the rule's level.

* `regression`, in both modes: a loss larger than the margin is proven.
* `pass` in mode `proven-worse` (pull requests): no such loss is proven, and these items could have seen one: a drop as
  large as the margin is told from no change with 80 % power, or the loss is proven smaller than the margin.
* `pass` in mode `non-inferior` (releases): the loss is proven smaller than the margin, and not by luck: where nothing
  changed, these items prove it with 80 % power.
* `inconclusive`: neither. More items, or a wider margin, would tell. It fails a check in mode `non-inferior` only.

`smallest` is the smallest drop that these items tell from no change, with 80 % power at the rule's level shared among
all comparisons of the check, which is the strictest level that Holm's adjustment may ask. It is as well the smallest
margin that they prove kept where nothing changed, and a check of one comparison fails with 80 % power at a true loss of
margin + smallest. A percentage is of the baseline's mean over these items, a fixed number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from earwitness.errors import DONE, NO
from earwitness.gate.rules import Mode, Rule


class Outcome(StrEnum):
    """What the gate says of one metric."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class RuleVerdict:
    """What one rule says of one metric of one submission on one task; effects are in the metric's units."""

    rule: Rule
    task: str
    submission: str
    metric: str
    outcome: Outcome
    effect: float
    """Mean paired difference of the run from the baseline; positive is better, whatever the metric's direction."""
    low: float
    """Ends of the effect's interval at 1 - 2 x level, so that each end is one-sided at the rule's level."""
    high: float
    share: tuple[float, float, float] | None
    """The effect and its interval's ends as shares of the baseline's mean, where the rule's margin is a percentage."""
    p: float
    """Holm-adjusted over all comparisons: small where a loss above the margin is proven; in mode `non-inferior`, unless
    the outcome is a regression, small where a loss below the margin is proven."""
    smallest: float
    """Smallest drop that these items could have seen."""
    items: int
    """Items that were compared."""
    failed: int
    """Items of them on which the run failed and counts as the floor."""
    worst: tuple[tuple[str, float], ...]
    """Items that got worst, with their effects."""
    margin: float
    """Margin in the metric's units."""
    before: float
    """Mean of the baseline, failed items at the floor."""
    after: float
    """Mean of the run, failed items at the floor."""


@dataclass(frozen=True)
class CheckReport:
    """The verdicts of a check."""

    verdicts: tuple[RuleVerdict, ...]
    mode: Mode
    notes: tuple[str, ...] = ()
    """What was not compared, one line each."""
    left_out: tuple[str, ...] = ()
    """Runs that could not be read or have no rows yet, one line each."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 no: a regression, and in non-inferior mode also what is not proven."""
        return NO if any(self.refuses(verdict) for verdict in self.verdicts) else DONE

    def refuses(self, verdict: RuleVerdict) -> bool:
        """Whether a verdict alone fails the check."""
        if self.mode is Mode.NON_INFERIOR:
            return verdict.outcome is not Outcome.PASS
        return verdict.outcome is Outcome.REGRESSION
