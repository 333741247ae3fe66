"""Every entrant against every other one, by the score and by each metric: what the page shows of any two of them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.board.contrasts import MARGIN, verdict_record
from earwitness.results.filling import definers, direction
from earwitness.stats.verdicts import Gains, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from earwitness.board.placings import Placings
    from earwitness.board.summary import Summary
    from earwitness.results.cube import Cube

Record = dict[str, Any]
SCORE = "score"
"""Stands where a metric's id would: gains are of the score, or of the main metric where entrants are ranked raw."""
MOST = 28
"""Entrants that are paired: those with the highest scores. Of so many, `order` draws the very signs that `judged` does,
so that the two cannot disagree."""
OPPOSITE = {str(Verdict.BETTER): str(Verdict.WORSE), str(Verdict.WORSE): str(Verdict.BETTER)}


def pair_records(summary: Summary) -> list[Record]:
    """A record of each entrant, other entrant and metric that has a direction, and of the score: the gain of the first.

    All pairs by the score are one family, as the ranking's; those by all headline metrics are one, and those by any
    other metric are one each. Entrants are numbers of the cube.
    """
    chosen = paired(summary)
    if len(chosen) < 2:
        return []
    cube = summary.cube
    headline = {column.facts.id for column in summary.columns if column.facts.headline}
    columns = [number for number, metric in enumerate(cube.metrics) if direction(metric)]
    shown = [number for number in columns if cube.metrics[number] in headline]
    families = ([shown] if shown else []) + [[number] for number in columns if number not in shown]
    pairs = list(combinations(chosen, 2))
    found = [record for metrics in families for record in _by_metrics(cube, pairs, metrics, summary.spans())]
    if summary.placings is not None:
        found = _by_score(summary.placings, cube, chosen, _margin(summary)) + found
    return [record for one in found for record in (one, mirrored(one))]


def paired(summary: Summary) -> list[int]:
    """Entrants that are paired: the ranked ones, the highest score first, then the others."""
    found = summary.placings
    ranked = [] if found is None else ranked_order(found)
    others = [entrant for entrant in range(len(summary.cube.entrants)) if entrant not in ranked]
    return (ranked + others)[:MOST]


def ranked_order(found: Placings) -> list[int]:
    """Entrants of placings, the highest score first."""
    return [found.entrants[place] for place in np.argsort(-found.score.value, kind="stable")]


def mirrored(record: Record) -> Record:
    """The same comparison as the second of the two sees it."""
    return {
        **record,
        "entrant": record["against"],
        "against": record["entrant"],
        "verdict": OPPOSITE.get(record["verdict"], record["verdict"]),
        "gain": _turned(record["gain"]),
        "low": _turned(record["high"]),
        "high": _turned(record["low"]),
        "improvement": None if record["improvement"] is None else 1 - record["improvement"],
    }


def _turned(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _margin(summary: Summary) -> float:
    """What is equivalent by the score: a share of the way from 0 to 1, or none where nothing is calibrated."""
    return MARGIN if summary.placings is not None and summary.placings.calibrated else float("nan")


def _by_score(found: Placings, cube: Cube, chosen: Sequence[int], margin: float) -> list[Record]:
    ranked = [entrant for entrant in chosen if entrant in found.entrants]
    pairs = list(combinations(ranked, 2))
    if not pairs:
        return []
    first, second = (np.array([found.entrants.index(pair[side]) for pair in pairs]) for side in (0, 1))
    value, worst = found.items, found.at_worst
    gains = Gains(
        value[:, first] - value[:, second], worst[:, first] - value[:, second], value[:, first] - worst[:, second]
    )
    told = judged(gains, cube.ways, np.full(len(pairs), margin))
    return [
        {"entrant": one, "against": other, "metric": SCORE, **verdict_record(told, place)}
        for place, (one, other) in enumerate(pairs)
    ]


def _by_metrics(
    cube: Cube, pairs: Sequence[tuple[int, int]], metrics: Sequence[int], spans: Mapping[str, float]
) -> list[Record]:
    """Records of the pairs by some metrics, one family; a metric says nothing of who defines it."""
    signs = np.array([float(direction(cube.metrics[number])) for number in metrics])
    values, worst = (side[:, :, metrics] * signs for side in (cube.values, cube.values_at_worst))
    first, second = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    named = [(pair, cube.metrics[number]) for pair in pairs for number in metrics]
    own = np.array([bool({cube.entrants[entrant][0] for entrant in pair} & {*definers(m)}) for pair, m in named])
    sides = (
        np.where(own, np.nan, side.transpose(1, 0, 2).reshape(side.shape[1], -1))
        for side in (values[first] - values[second], worst[first] - values[second], values[first] - worst[second])
    )
    margins = np.tile([MARGIN * abs(spans.get(cube.metrics[number], np.nan)) for number in metrics], len(pairs))
    told = judged(Gains(*sides), cube.ways, margins)
    return [
        {"entrant": pair[0], "against": pair[1], "metric": metric, **verdict_record(told, place)}
        for place, (pair, metric) in enumerate(named)
    ]
