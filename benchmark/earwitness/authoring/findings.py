"""What the values of tried explanations say of a metric: pure functions from arrays to the parts of an audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from earwitness.authoring.forms import BLIND, FORMS, shares
from earwitness.results.audits import Against, Gamed, Gap, Ladder, MetricAudit, Shares
from earwitness.stats.calibration import ceiling_gap
from earwitness.stats.components import Components, components
from earwitness.stats.intervals import DEFAULT, mean_interval
from earwitness.stats.multiplicity import holm
from earwitness.stats.paired import coarsest
from earwitness.stats.ranks import agreement, unrelated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from earwitness.stats.calibration import Direction
    from earwitness.stats.intervals import Array

LEVEL = 0.05
STEADY = 0.9
"""Spearman's correlation of means along the six forms, below which a metric is flagged: one exchange of neighbours
leaves .94, more than that less."""
GAMED = 0.25
"""Share of the way from random to the ceiling beyond which an explanation that knows nothing is a flag."""
NOISY = 0.5
"""Reliability below which more of a value is noise than not."""
NULLS = 400
"""Shuffled orders that a chance interval is made of."""
SEED = 0


@dataclass(frozen=True)
class Evidence:
    """Values of one metric on N items, and of what it is compared with."""

    direction: Direction
    clusters: NDArray[np.int64]
    """[N, W]."""
    ceiling: Array
    """[N] stored with the task; NaN where there is none."""
    random: Array
    """[N, G, X]."""
    forms: Array
    """[N, F, G]."""
    blind: Mapping[str, Array]
    """[N, G] by name."""
    truth: Array | None = None
    """[N, E] model truth's values of everything that was tried, higher where it is closer to it; None without one."""
    own_forms: bool = True
    """Whether the forms are of this metric's ceiling."""
    changed: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    """[N, E] values of everything that was tried, and the same with one thing changed, by what was changed."""

    @property
    def sign(self) -> int:
        """1 where higher is more faithful, -1 where lower is, 0 of a description."""
        return {"higher": 1, "lower": -1, "none": 0}[self.direction]

    @property
    def tried(self) -> Array:
        """[N, E] of everything that was tried, mean over seeds, higher where it is more faithful."""
        return self.sign * everything(self.random, self.forms, self.blind)


def everything(random: Array, forms: Array, blind: Mapping[str, Array]) -> Array:
    """[N, E] the random explainer's values, those of the forms but the last (it is random), and of the blind."""
    columns = [_mean(random.reshape(len(random), -1))]
    columns += [_mean(forms[:, step]) for step in range(FORMS - 1)]
    columns += [_mean(blind[name]) for name in BLIND]
    return np.stack(columns, axis=1)


def found(evidence: Evidence) -> MetricAudit:
    """The audit of one metric."""
    if not evidence.sign:
        return MetricAudit(informative=False, shares=_shares(components(evidence.random)))
    gap = gap_of(evidence)
    ladder, gaming = ladder_of(evidence), gaming_of(evidence)
    retest = retest_of(evidence)
    survival = {
        name: tau(evidence.sign * own, evidence.sign * other) for name, (own, other) in evidence.changed.items()
    }
    audit = MetricAudit(
        informative=gap is not None and gap.p < LEVEL,
        gap=gap,
        ladder=ladder,
        reliability=_finite(retest.reliability),
        shares=_shares(components(evidence.random)),
        truth=None if evidence.truth is None else against_truth(evidence.tried, evidence.truth),
        survival=survival,
        gaming=gaming,
    )
    return audit.model_copy(update={"flags": flags(audit)})


def gap_of(evidence: Evidence) -> Gap | None:
    """The paired gap between the stored ceiling and the random explainer on the same items; None without a ceiling."""
    if np.isnan(evidence.ceiling).all():
        return None
    floor = _mean(evidence.random.reshape(len(evidence.random), -1))
    told = ceiling_gap(evidence.ceiling, floor, evidence.clusters, evidence.direction)
    mean = _finite(told.mean)
    return Gap(
        mean=0.0 if mean is None else mean,
        low=_finite(told.low),
        high=_finite(told.high),
        p=told.p,
        items=told.items,
        clusters=told.clusters,
    )


def ladder_of(evidence: Evidence) -> Ladder | None:
    """How the metric falls along the six forms of its ceiling; None where no item has them."""
    if not evidence.own_forms:
        return None
    values = evidence.sign * np.stack([_mean(evidence.forms[:, step]) for step in range(FORMS)], axis=1)
    whole = ~np.isnan(values).any(axis=1)
    if not whole.any():
        return None
    left = 1 - np.array(shares())
    own = spearman(values[whole], np.broadcast_to(left, values[whole].shape))
    told = ~np.isnan(own)
    means = float(spearman(values[whole].mean(axis=0)[None], left[None])[0])
    if not told.any():
        return Ladder(means=_finite(means), items=None)
    clusters = np.unique(coarsest(evidence.clusters)[whole][told], return_inverse=True)[1].astype(np.int64)
    interval = mean_interval(own[told], clusters, DEFAULT)
    return Ladder(
        means=_finite(means), items=float(interval.value), low=_finite(interval.low), high=_finite(interval.high)
    )


def retest_of(evidence: Evidence) -> Components:
    """Components of the values of every pair of item and explanation under each generation seed."""
    cells = [_mean_last(evidence.random), *(evidence.forms[:, step] for step in range(FORMS - 1))]
    cells += [evidence.blind[name] for name in BLIND]
    return components(np.concatenate(cells)[:, :, None])


def against_truth(values: Array, truth: Array) -> Against:
    """Spearman's correlation of a metric with model truth over what was tried on an item, mean over items `[N, E]`.

    The interval is that of shuffled orders: what it is by chance.
    """
    rng = np.random.default_rng(SEED)
    both = ~np.isnan(values) & ~np.isnan(truth)
    pairs = [(value[own], true[own]) for value, true, own in zip(values, truth, both, strict=True) if own.sum() > 2]
    seen = [(value, true) for value, true in pairs if np.ptp(value) > 0 and np.ptp(true) > 0]
    if not seen:
        return Against(value=None)
    ranks = [(_unit_ranks(value), _unit_ranks(true)) for value, true in seen]
    mean = float(np.mean([value @ true for value, true in ranks]))
    shuffled = [rng.permuted(np.tile(value, (NULLS, 1)), axis=1) @ true for value, true in ranks]
    low, high = np.quantile(np.mean(shuffled, axis=0), [0.025, 0.975])
    return Against(value=mean, low=float(low), high=float(high), items=len(seen))


def tau(values: Array, others: Array) -> Against:
    """Kendall's tau of the mean values of what was tried under a metric and under the same with something changed.

    The interval is that of names given at random.
    """
    both = ~np.isnan(values) & ~np.isnan(others)
    known = both.any(axis=0)
    if known.sum() < 3:
        return Against(value=None)
    first, second = (_mean(np.where(both, side, np.nan).T)[known] for side in (values, others))
    value = agreement(first, second)
    if not np.isfinite(value):
        return Against(value=None)
    low, high = unrelated(first, second, 0.95)
    return Against(value=value, low=_finite(low), high=_finite(high), items=int(both.any(axis=1).sum()))


def gaming_of(evidence: Evidence) -> dict[str, Gamed]:
    """What explanations that know nothing get, p-values adjusted for all of them."""
    floor = _mean(evidence.random.reshape(len(evidence.random), -1))
    own = {name: _mean(evidence.blind[name]) for name in BLIND}
    there = {name: values for name, values in own.items() if not np.isnan(values - floor).all()}
    gaps = [ceiling_gap(values, floor, evidence.clusters, evidence.direction) for values in there.values()]
    adjusted = holm(np.array([gap.p for gap in gaps])) if gaps else np.zeros(0)
    gap = gap_of(evidence)
    way = gap.mean if gap else 0.0
    return {
        name: Gamed(calibrated=_finite(gap.mean / way) if way > 0 else None, p=float(p))
        for name, gap, p in zip(there, gaps, adjusted, strict=True)
    }


def flags(audit: MetricAudit) -> list[str]:
    """What speaks against a metric, one line each."""
    lines = []
    if audit.gap is None:
        lines.append("uninformative: no ceiling is stored that could be told from the random explainer")
    elif not audit.informative:
        lines.append("uninformative: its ceiling is not told from the random explainer")
    ladder = audit.ladder
    if audit.informative and ladder is not None and ladder.means is not None and ladder.means < STEADY:
        lines.append(f"unsteady: along degraded forms of its ceiling its means fall with Spearman {ladder.means:.2f}")
    if audit.informative and ladder is not None and ladder.low is not None and ladder.low <= 0:
        lines.append("weak: on single items it does not tell the ceiling from what is left of it")
    for name, gamed in audit.gaming.items():
        ahead = gamed.p is not None and gamed.p < LEVEL
        if ahead and (gamed.calibrated is None or gamed.calibrated > GAMED):
            share = "" if gamed.calibrated is None else f", {gamed.calibrated:.2f} of the way to its ceiling"
            lines.append(f"gameable: {name} ({BLIND[name]}) is ahead of random weights{share}")
    if audit.reliability is not None and audit.reliability < NOISY:
        lines.append(f"noisy: reliability {audit.reliability:.2f} over generation seeds")
    for name, against in audit.survival.items():
        if against.value is not None and against.high is not None and against.value <= against.high:
            lines.append(f"fragile: under {name} it orders what was tried no more alike than by chance")
    truth = audit.truth
    if truth is not None and truth.value is not None and truth.high is not None and truth.value <= truth.high:
        lines.append("untrue: it agrees with model truth no more than by chance")
    return lines


def spearman(values: Array, others: Array) -> Array:
    """[N] Spearman's correlation of each row of values `[N, E]` with that of others; NaN where one is all ties.

    >>> spearman(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]), np.array([[3.0, 2.0, 1.0]] * 2)).tolist()
    [-1.0, nan]
    """
    return np.array([_one(value, other) for value, other in zip(values, others, strict=True)])


def _one(value: Array, other: Array) -> float:
    if np.ptp(value) == 0 or np.ptp(other) == 0:
        return float("nan")
    return round(float(_unit_ranks(value) @ _unit_ranks(other)), 12)


def _unit_ranks(values: Array) -> Array:
    """Ranks [E] of values that are not all equal, centred and of length 1: their products are Spearman's."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    unit: Array = ranks / np.linalg.norm(ranks)
    return unit


def _shares(found: Components) -> Shares | None:
    item, generation, explainer, rest = found.shares
    if not np.isfinite(item):
        return None
    # What both seeds do together is put to the explainer's: it is no other value under either alone.
    explainer = explainer if np.isnan(rest) else explainer + rest
    return Shares(item=item, generation=_finite(generation), explainer=_finite(explainer))


def _mean(values: Array) -> Array:
    """[N] mean over the values [N, ...] that there are; NaN where there is none."""
    return _mean_last(values.reshape(len(values), -1))


def _mean_last(values: Array) -> Array:
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(there, values, 0.0).sum(axis=-1) / there.sum(axis=-1)
    return mean


def _finite(value: float | Array) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
