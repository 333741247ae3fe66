"""Verdicts of the gate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from earwitness.errors import DONE, NO
from earwitness.gate.rules import Mode, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


class Outcome(StrEnum):
    """What the gate says of one metric."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Verdict:
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
    p: float
    """Of the hypothesis that the mode wants rejected, Holm-adjusted over all comparisons of the check."""
    smallest: float
    """Smallest drop that these items tell from no change: at 80 % power and the rule's level."""
    items: int
    """Items that were compared."""
    missing: int
    """Items of them on which the run has no value and counts as the floor."""
    worst: tuple[tuple[str, float], ...]
    """Items that got worst, with their effects."""
    margin: float
    """Margin in the metric's units."""
    before: float
    """Mean of the baseline, missing items at the floor."""
    after: float
    """Mean of the run."""


@dataclass(frozen=True)
class Report:
    """The verdicts of a check."""

    verdicts: tuple[Verdict, ...]
    mode: Mode
    notes: tuple[str, ...] = ()
    """What was not compared, one line each."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 no: a regression, and in non-inferior mode also what is not proven."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        refused = {Outcome.REGRESSION}
        if self.mode is Mode.NON_INFERIOR:
            refused.add(Outcome.INCONCLUSIVE)
        return NO if outcomes & refused else DONE


def check(rows: pa.Table, baseline: pa.Table, rules: Sequence[Rule], mode: Mode = Mode.PROVEN_WORSE) -> Report:
    """Compare a run's rows with a baseline's.

    Raises RuleError where a rule matches nothing or asks for a percentage of a mean near zero, NotComparableError where
    task, model or data differ, ExplainerFailedError where a submission explained no item of a task.
    """
    raise NotImplementedError
