"""What becomes of an order of entrants, and of the verdicts on their pairs, from one model to another of a task."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring.studies import (
    PairVerdict,
    Standing,
    absences,
    complete,
    margin_on,
    pair_verdicts,
    scores_of,
)
from earwitness.errors import NotComparableError
from earwitness.stats.orders import halves, random_tau, tau_of, tau_spread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from earwitness.board.variants import MeasuredVariant
    from earwitness.own_model import Twin
    from earwitness.results.cube import Cube, Entrant

FEWEST = 3
"""Entrants that make an order."""


class VerdictChange(StrEnum):
    """What became of a verdict from the shipped model to a twin."""

    SAME = "same"
    LOST = "lost"
    """Told apart on the shipped model alone."""
    GAINED = "gained"
    """Told apart on the twin alone."""
    REVERSED = "REVERSED"
    """Told apart on both, the other way round."""
    RESTATED = "restated"
    """Told apart on neither, and as good as each other on one alone."""


@dataclass(frozen=True)
class PairChange:
    """Verdicts on one pair of entrants on the shipped model and on a twin."""

    change: VerdictChange
    shipped: PairVerdict
    twin: PairVerdict

    @classmethod
    def of(cls, shipped: PairVerdict, twin: PairVerdict) -> PairChange:
        """The change from one verdict to another on the same pair."""
        told = shipped.standing == Standing.TOLD, twin.standing == Standing.TOLD
        if all(told):
            change = VerdictChange.SAME if shipped.word == twin.word else VerdictChange.REVERSED
        elif any(told):
            change = VerdictChange.LOST if told[0] else VerdictChange.GAINED
        else:
            change = VerdictChange.SAME if shipped.standing == twin.standing else VerdictChange.RESTATED
        return cls(change, shipped, twin)


@dataclass(frozen=True)
class OrderComparison:
    """The order of entrants by one metric on the shipped model and on a twin, on the items that both have."""

    metric: str
    twin: Twin
    entrants: tuple[str, ...]
    items: int
    clusters: int
    tau: float
    """Kendall's tau-b of mean scores."""
    low: float
    """Ends of a 95 % interval of the tau that as many items give on average."""
    high: float
    random: float
    """|tau| within which 95 % of random orders of as many entrants lie."""
    own_halves: float
    """Tau between halves of the items on the shipped model, mean over ways to halve them."""
    across_halves: float
    """Tau between a half on the shipped model and the other half on the twin."""
    pairs: tuple[PairChange, ...]
    left_out: dict[str, str]
    """Why entrants are left out, by name."""

    @property
    def counts(self) -> dict[str, int]:
        """Pairs by what became of their verdict."""
        counted = Counter(pair.change for pair in self.pairs)
        return {change.value: counted[change] for change in VerdictChange}


def compare_orders(
    shipped: MeasuredVariant, twin: MeasuredVariant, metric: str, of: Twin, controls: Collection[str] = ()
) -> OrderComparison:
    """The order of the entrants that both models have, by a metric, on the items that all of them have on both.

    `controls` are ids of submissions that have no place. Raises NotComparableError where fewer than three entrants, or
    no items, are left.
    """
    absent = _absent(shipped, twin, metric, controls)
    sides = _sides(shipped, twin, metric, absent)
    one, other = (scores_of(side.cube, list(side.labels), metric) for side in sides)
    margin, clusters = margin_on(shipped, metric), sides[0].cube.clusters
    verdicts = [pair_verdicts(side.cube, side.labels, metric, margin) for side in sides]
    low, high = tau_spread(one, other, clusters)
    halved = halves(one, other, clusters)
    return OrderComparison(
        metric=metric,
        twin=of,
        entrants=tuple(sides[0].labels.values()),
        items=len(one),
        clusters=int(clusters.max()) + 1,
        tau=tau_of(one, other),
        low=low,
        high=high,
        random=random_tau(one.shape[1]),
        own_halves=halved.own,
        across_halves=halved.across,
        pairs=tuple(PairChange.of(*pair) for pair in zip(*verdicts, strict=True)),
        left_out={names_of(shipped, twin)[entrant]: reason for entrant, reason in absent.items()},
    )


@dataclass(frozen=True)
class _Side:
    """One model's values of the entrants and items that both models have."""

    cube: Cube
    labels: dict[int, str]
    """Names of the entrants by their number, in one order for both models."""


def names_of(shipped: MeasuredVariant, twin: MeasuredVariant) -> dict[Entrant, str]:
    """What entrants are called, by submission and hash: as on the shipped model, where they are on both."""
    sides = [zip(side.cube.entrants, side.labels, strict=True) for side in (twin, shipped)]
    return {entrant: label for side in sides for entrant, label in side}


def _absent(
    shipped: MeasuredVariant, twin: MeasuredVariant, metric: str, controls: Collection[str]
) -> dict[Entrant, str]:
    """Why entrants have no place on both models, of those that have none."""
    reasons: dict[Entrant, list[str]] = {entrant: [] for entrant in names_of(shipped, twin)}
    for side in (shipped, twin):
        why = dict(zip(side.cube.entrants, absences(side, metric, controls), strict=True))
        for entrant, own in reasons.items():
            own.append(why.get(entrant, "not run on both models"))
    return {entrant: ", ".join(dict.fromkeys(filter(None, own))) for entrant, own in reasons.items() if any(own)}


def _sides(
    shipped: MeasuredVariant, twin: MeasuredVariant, metric: str, absent: Mapping[Entrant, str]
) -> tuple[_Side, _Side]:
    """Both models on the entrants that are not absent, and on the items on which all of these have a value on both."""
    names = {entrant: name for entrant, name in names_of(shipped, twin).items() if entrant not in absent}
    if len(names) < FEWEST:
        why = "".join(
            f"; {name}: {absent[entrant]}" for entrant, name in names_of(shipped, twin).items() if entrant in absent
        )
        raise NotComparableError(
            f"{metric}: {FEWEST} entrants on both models are needed, and there are {len(names)}{why}"
        )
    cubes = shipped.cube, twin.cube
    labels = [{cube.entrants.index(entrant): name for entrant, name in names.items()} for cube in cubes]
    whole = [complete(cube, list(own), metric) for cube, own in zip(cubes, labels, strict=True)]
    items = [{cube.items[place] for place in np.flatnonzero(own)} for cube, own in zip(cubes, whole, strict=True)]
    both = items[0] & items[1]
    if not both:
        raise NotComparableError(f"{metric}: no item has values of all {len(names)} entrants on both models")
    # Items of a cube stand in the order of their names, so that rows of both are of the same ones.
    one, other = (cube.on(np.array([item in both for item in cube.items], dtype=bool)) for cube in cubes)
    return _Side(one, labels[0]), _Side(other, labels[1])
