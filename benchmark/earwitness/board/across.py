"""Across tasks: how many of the others each submission beats, on average over the tasks of a track and over all.

On a task it is the share of the other ranked entrants that its score beats, ties by half; the mean over tasks is its
win rate. Intervals are of tasks and, within each, items. Who covers fewer tasks than the most met other opponents on
other tasks, and stands apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from earwitness.board.columns import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.board.summary import Summary
    from earwitness.board.variants import MeasuredVariant
    from earwitness.stats.intervals import Array

Record = dict[str, Any]
EVERY = ""
"""The track of what is over all tracks."""
DECIMALS = 12
"""Of a score: what differs after them is rounding."""


@dataclass(frozen=True)
class Contest:
    """Who met whom on one task."""

    task: str
    track: str
    wins: dict[str, float]
    """Share of the others that each submission beats."""
    draws: dict[str, Array]
    """The same under bootstrap draws [R] of the items."""


def contest(measured: MeasuredVariant, summary: Summary) -> Contest | None:
    """The contest of a variant; None where nobody is ranked, or where the variant is not the registered task with the
    card's own model, items and seeds.

    Of several versions of one submission the registered one counts, else none: they are no opponents of each other.
    """
    found, variant = summary.placings, measured.variant
    own = measured.task.registered and variant.of_the_card and not variant.inline
    if not own or found is None or found.ranks is None or measured.task.card is None:
        return None
    names = [measured.submissions[entrant].id for entrant in found.entrants]
    registered = [measured.submissions[entrant].registered for entrant in found.entrants]
    kept = [place for place, name in enumerate(names) if names.count(name) == 1 or registered[place]]
    if len(kept) < 2:
        return None
    wins = _wins(found.score.value[None, kept])[0]
    draws = _wins(found.score.draws[:, kept])
    chosen = [names[place] for place in kept]
    return Contest(
        variant.task,
        measured.task.card.track,
        dict(zip(chosen, wins.tolist(), strict=True)),
        {name: draws[:, place] for place, name in enumerate(chosen)},
    )


def across(contests: Sequence[Contest], level: float, seed: int = 0) -> list[Record]:
    """A record of each submission on each track and over all of them, who covers most tasks and wins most first."""
    tracks = sorted({found.track for found in contests})
    groups = {track: [found for found in contests if found.track == track] for track in tracks}
    if len(tracks) > 1:
        groups[EVERY] = list(contests)
    return [{"track": track, **record} for track, some in groups.items() for record in _rates(some, level, seed)]


def _rates(contests: Sequence[Contest], level: float, seed: int) -> list[Record]:
    names = sorted({name for found in contests for name in found.wins})
    met = {name: [found for found in contests if name in found.wins] for name in names}
    most = max(map(len, met.values()))
    records = [_rate(name, met[name], most, level, seed) for name in names]
    return sorted(records, key=lambda record: (-record["tasks"], -record["win_rate"], record["submission"]))


def _rate(name: str, contests: Sequence[Contest], most: int, level: float, seed: int) -> Record:
    """Tasks are drawn with replacement; of each task that is drawn, its items' draws in an order of their own."""
    random = np.random.default_rng(seed)
    draws = np.stack([random.permutation(found.draws[name]) for found in contests])
    tasks = random.integers(len(contests), size=(draws.shape[1], len(contests)))
    rates = draws[tasks, np.arange(draws.shape[1])[:, None]].mean(axis=1)
    rates = rates[~np.isnan(rates)]
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2]) if len(rates) else (np.nan, np.nan)
    return {
        "submission": name,
        "win_rate": float(np.mean([found.wins[name] for found in contests])),
        "low": number(low),
        "high": number(high),
        "tasks": len(contests),
        "most": most,
        "names": [found.task for found in contests],
    }


def _wins(scores: Array) -> Array:
    """[R, E] share of the others whose score [R, E] is lower, ties by half; NaN where a score is missing."""
    beaten: Array = (rankdata(np.round(scores, DECIMALS), axis=1) - 1) / (scores.shape[1] - 1)
    return beaten
