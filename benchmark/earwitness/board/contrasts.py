"""Which entrants are better than a control: paired gains on the items that both ran, judged by the verdict engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.results.filling import definers, direction
from earwitness.stats.verdicts import Gains, Verdicts, judged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from earwitness.results.cube import Cube
    from earwitness.stats.intervals import Array

Record = dict[str, Any]


MARGIN = 0.05
"""What counts as equivalent, as a share of the way from the random explainer to the ceiling."""


def contrasts(
    cube: Cube, controls: Sequence[int], headline: Collection[str] = (), spans: Mapping[str, float] | None = None
) -> list[Record]:
    """A record of each control, other entrant and metric that has a direction: the gain over the control.

    Gains are counted so that above 0 is more faithful. Of each control the gains of all entrants on all headline
    metrics are one family, as they are shown side by side; those on any other metric are one each. spans are distances
    from floor to ceiling by metric, of which `MARGIN` is equivalent. A metric says nothing of who defines it.
    """
    columns = [number for number, metric in enumerate(cube.metrics) if direction(metric)]
    shown = [number for number in columns if cube.metrics[number] in headline]
    families = [shown] if shown else []
    families += [[number] for number in columns if number not in shown]
    return [
        record
        for control in controls
        for metrics in families
        if len(cube.entrants) > 1
        for record in _family(cube, control, metrics, spans or {})
    ]


def _family(cube: Cube, control: int, metrics: Sequence[int], spans: Mapping[str, float]) -> list[Record]:
    others = [entrant for entrant in range(len(cube.entrants)) if entrant != control]
    margins = np.tile([MARGIN * abs(spans.get(cube.metrics[number], np.nan)) for number in metrics], len(others))
    pairs = [(entrant, cube.metrics[number]) for entrant in others for number in metrics]
    own = np.array([cube.entrants[entrant][0] in definers(metric) for entrant, metric in pairs])
    gains = gains_over(cube, others, control, metrics)
    # That a metric's own definition is ahead by it says nothing.
    sides = (np.where(own, np.nan, side) for side in (gains.value, gains.least, gains.most))
    found = judged(Gains(*sides), cube.ways, margins)
    return [
        {"control": control, "entrant": entrant, "metric": metric, **verdict_record(found, place)}
        for place, (entrant, metric) in enumerate(pairs)
    ]


def verdict_record(found: Verdicts, place: int) -> Record:
    """One verdict of a family as a record; None where a number is not finite."""
    numbers = {
        "gain": found.effect,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "improvement": found.improvement,
        "smallest": found.smallest,
        "needed": found.needed,
        "margin": found.margin,
    }
    return {
        "verdict": str(found.words[place]),
        "items": int(found.items[place]),
        "clusters": int(found.clusters[place]),
        "family": found.family,
        **{name: float(values[place]) if np.isfinite(values[place]) else None for name, values in numbers.items()},
    }


def gains_over(cube: Cube, entrants: Sequence[int], other: int, metrics: Sequence[int]) -> Gains:
    """The gains [N, F x M] of F entrants over another one by M metrics, entrant by entrant."""
    signs = np.array([float(direction(cube.metrics[number])) for number in metrics])
    values, worst = (side[:, :, metrics] * signs for side in (cube.values, cube.values_at_worst))
    chosen = list(entrants)
    sides: tuple[Array, ...] = (
        values[chosen] - values[other],
        worst[chosen] - values[other],
        values[chosen] - worst[other],
    )
    return Gains(*(side.transpose(1, 0, 2).reshape(side.shape[1], -1) for side in sides))


def margin_of(cube: Cube, number: int, ceilings: Mapping[str, float]) -> float:
    """What is equivalent by a metric of the cube: `MARGIN` of the way from the floor's mean to the ceiling's, which are
    by metric; NaN where one of them is not known."""
    if cube.floor is None or cube.metrics[number] not in ceilings:
        return float("nan")
    floor = cube.values[cube.floor, :, number]
    floor = floor[~np.isnan(floor)]
    return MARGIN * abs(ceilings[cube.metrics[number]] - float(floor.mean())) if len(floor) else float("nan")
