"""Scores and ranks of a variant's entrants, from the parts of the metrics that its score is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.board.columns import ends_of, number
from earwitness.stats.composite import variance_shares
from earwitness.stats.ranks import Ranks, first, ranks
from earwitness.stats.verdicts import order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.board.columns import MetricColumns, ScorePart
    from earwitness.stats.intervals import Array, Interval
    from earwitness.stats.verdicts import Flags

Record = dict[str, Any]


@dataclass(frozen=True)
class Placings:
    """Scores and ranks of those entrants that have them."""

    entrants: list[int]
    score: Interval
    """[E] higher is more faithful."""
    ranks: Ranks | None
    """None where these items could not tell any two apart."""
    first: Array
    """[E] probability of being first."""
    items: Array
    """[N, E] scores of items, whose means are the scores."""
    at_worst: Array
    """[N, E] the same with failed values at the worst seen."""
    better: Flags
    """[E, E] whether the entrant of the row is better than that of the column."""
    parts: Array
    """[E, H] what each metric of the score gave."""
    calibrated: bool = True
    """Whether a score is the mean of calibrated parts; else it is a raw value and no score for people."""


def placed(
    columns: MetricColumns, parts: Sequence[ScorePart], weights: Array, entrants: list[int], calibrated: bool = True
) -> Placings | None:
    """Placings of some entrants by the weighted mean of parts, weights `[H]`; None where there is nothing of both."""
    if not parts or not entrants:
        return None
    value = np.average([part.items[:, entrants] for part in parts], axis=0, weights=weights)
    worst = np.average([part.at_worst[:, entrants] for part in parts], axis=0, weights=weights)
    score = columns.interval(
        lambda weight: np.average([part.statistic(weight)[:, entrants] for part in parts], axis=0, weights=weights),
        value,
    )
    lacking = np.all(value == 0, axis=1, keepdims=True)
    score = columns.shown(score, np.where(lacking, np.nan, value))
    judged = order(value, worst, columns.cube.ways)
    everybody = np.ones((1, columns.size))
    return Placings(
        entrants,
        score,
        ranks(judged, score.value) if judged.decidable else None,
        first(score.draws),
        value,
        worst,
        judged.better,
        np.stack([part.statistic(everybody)[0, entrants] for part in parts], axis=1),
        calibrated,
    )


def shares_of(found: Placings | None, weights: Array) -> list[float | None]:
    """Share of each metric of the score in its variance between entrants; None where that is nothing."""
    if found is None or len(found.entrants) < 2:
        return [None] * len(weights)
    return [number(share) for share in variance_shares(found.parts, weights)]


def placing(found: Placings | None, entrant: int) -> Record:
    """Rank and score of an entrant as a record, None where it has none."""
    nothing: Record = {"rank": None, "rank_low": None, "rank_high": None, "rank_group": None, "first": None}
    if found is None or entrant not in found.entrants:
        return {**nothing, **ends_of("score", "score_", None)}
    place, given = found.entrants.index(entrant), found.ranks
    score = ends_of("score", "score_", found.score if found.calibrated else None, place)
    if given is None:
        return {**nothing, **score}
    fields = {"rank": given.place, "rank_low": given.low, "rank_high": given.high, "rank_group": given.group}
    return {
        **{name: int(values[place]) for name, values in fields.items()}, "first": number(found.first[place]), **score
    }  # fmt: skip
