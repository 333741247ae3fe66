"""One entrant against others by the headline metrics of a task: what is shown side by side is one family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from earwitness.board.contrasts import MARGIN, gains_over
from earwitness.board.facts import task_facts
from earwitness.board.summary import Summary
from earwitness.board.variants import MeasuredVariant, measured_variant, variant_of
from earwitness.errors import EarwitnessError
from earwitness.results.filling import definers
from earwitness.stats.intervals import DEFAULT
from earwitness.stats.verdicts import Gains, Verdicts, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.results.folders import StoredRun
    from earwitness.stats.intervals import Array


@dataclass(frozen=True)
class PairedComparison:
    """An entrant and another one by one metric; gains are counted so that above 0 is more faithful."""

    metric: str
    against: str
    mine: float
    """Mean over the items, failed ones at the floor; NaN where no item has a value."""
    other: float
    verdict: str
    """A word of the verdict engine, of the entrant."""
    gain: float
    low: float
    high: float
    p: float
    smallest: float
    """Gain that these items tell from none with 80 % power; infinite where they tell none."""
    needed: float
    """Items that would tell a gain like this one; infinite where none is seen."""


@dataclass(frozen=True)
class ComparisonFamily:
    """All comparisons of an entrant on a task, judged together."""

    items: int
    clusters: int
    family: int
    """Comparisons that verdicts and intervals are adjusted over (max-T)."""
    comparisons: tuple[PairedComparison, ...]


def compared(entrant: str, runs: Sequence[StoredRun]) -> ComparisonFamily:
    """The comparisons of an entrant with all others, of whom each has one run of the same task.

    Raises EarwitnessError where the runs are not of one task, or none is the entrant's.
    """
    measured, summary = _measured(runs)
    if entrant not in measured.labels or len(measured.labels) < 2:
        raise EarwitnessError(f"the runs are of {', '.join(measured.labels)}; there must be one of {entrant} and more")
    mine = measured.labels.index(entrant)
    shown = summary.headline or ([summary.main] if summary.main else [])
    if not shown:
        raise EarwitnessError(f"{measured.variant.task}: no metric of its headline has a direction here")
    metrics = [column.number for column in shown]
    others = [number for number in range(len(measured.labels)) if number != mine]
    pairs = [(other, number) for other in others for number in metrics]
    found = judged(_gains(measured, mine, others, metrics), measured.cube.ways, _margins(measured, summary, pairs))
    told = tuple(_comparison(measured, found, place, mine, pair) for place, pair in enumerate(pairs))
    return ComparisonFamily(len(measured.cube.items), int(measured.cube.clusters.max()) + 1, found.family, told)


def _measured(runs: Sequence[StoredRun]) -> tuple[MeasuredVariant, Summary]:
    rows: pa.Table = pa.concat_tables([run.rows for run in runs])
    variants = {variant_of(run.rows.slice(0, 1).to_pylist()[0]) for run in runs}
    if len(variants) != 1:
        raise EarwitnessError(f"the runs are of {len(variants)} tasks: {', '.join(each.task for each in variants)}")
    (variant,) = variants
    recipes = [run.recipe for run in runs]
    facts = task_facts(variant.task, variant.task_hash, recipes)
    measured = measured_variant(variant.task, variant, facts, rows, recipes)
    return measured, Summary(measured.cube, measured.facts, measured.task, variant.of_the_card, DEFAULT)


def _gains(measured: MeasuredVariant, mine: int, others: Sequence[int], metrics: Sequence[int]) -> Gains:
    """Gains [N, O x M] over each of O others; NaN by a metric that is the definition of one of the two."""
    cube = measured.cube
    sides = [gains_over(cube, [mine], other, metrics) for other in others]
    own = np.array(
        [
            bool({cube.entrants[mine][0], cube.entrants[other][0]} & {*definers(cube.metrics[number])})
            for other in others
            for number in metrics
        ]
    )
    return Gains(
        *(
            np.where(own, np.nan, np.concatenate([getattr(side, name) for side in sides], axis=1))
            for name in ("value", "least", "most")
        )
    )


def _margins(measured: MeasuredVariant, summary: Summary, pairs: Sequence[tuple[int, int]]) -> Array:
    spans = summary.spans()
    return np.array([MARGIN * abs(spans.get(measured.cube.metrics[number], np.nan)) for _, number in pairs])


def _comparison(
    measured: MeasuredVariant, found: Verdicts, place: int, mine: int, pair: tuple[int, int]
) -> PairedComparison:
    other, number = pair
    cube = measured.cube
    return PairedComparison(
        metric=cube.metrics[number],
        against=measured.labels[other],
        mine=_mean(cube.values[mine, :, number]),
        other=_mean(cube.values[other, :, number]),
        verdict=str(found.words[place]),
        gain=float(found.effect[place]),
        low=float(found.low[place]),
        high=float(found.high[place]),
        p=float(found.p[place]),
        smallest=float(found.smallest[place]),
        needed=float(found.needed[place]),
    )


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
