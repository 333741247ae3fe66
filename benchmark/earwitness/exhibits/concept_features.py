"""What features respond to: their means in held-out clips against each factor, and the clips that move them most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.probing import probe_r2, pursuit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.scoring.concept.features import Features
    from earwitness.scoring.concept.held_out import HeldOut

MOST_VARIABLE = 4
"""Features that are shown beside those of the factors: the ones whose activations vary most."""
TOP = 5
"""Clips of a feature's highest means."""
SHOWN = 200
"""Held-out clips that are drawn, at most; evenly spread where there are more."""
BINS = 8
"""Equal-width bins of a factor."""
DIGITS = 5
"""Of the numbers that are kept for the page."""


def most_predictive(features: Features, held_out: HeldOut) -> dict[str, int]:
    """For each factor the feature that tells most of it in training clips: the first of a sparse probe.

    Factors are missing where no feature varies.
    """
    found = {
        name: pursuit(features.train_means, held_out.train[:, column], 1) for column, name in enumerate(held_out.names)
    }
    return {name: chosen[0] for name, chosen in found.items() if chosen}


def most_variable(features: Features, count: int = MOST_VARIABLE) -> list[int]:
    """The features whose activations vary most over held-out frames, most first; none that never changes."""
    spread = features.frames.var(0, dtype=np.float64)
    order = np.argsort(-spread, kind="stable")[:count]
    return [int(number) for number in order if spread[number] > 0]


def drawn(held_out: HeldOut) -> NDArray[np.int64]:
    """Places of the held-out clips that are drawn."""
    count = len(held_out.test)
    return np.asarray(np.linspace(0, count - 1, min(SHOWN, count)).round(), dtype=np.int64)


def response(features: Features, held_out: HeldOut, number: int) -> dict[str, Any]:
    """What one feature responds to, as JSON types: what it tells of each factor, its means, and its top clips."""
    means = features.test_means[:, number]
    return {
        "feature": number,
        "active": short((features.frames[:, number] != 0).mean()),
        "means": [short(value) for value in means[drawn(held_out)]],
        "tells": {name: tells(features, held_out, number, column) for column, name in enumerate(held_out.names)},
        "binned": {name: binned(held_out.test[:, column], means) for column, name in enumerate(held_out.names)},
        "top": [_clip(held_out, clip, means[clip]) for clip in top(means)],
    }


def _clip(held_out: HeldOut, clip: int, mean: float) -> dict[str, Any]:
    factors = {name: short(value) for name, value in zip(held_out.names, held_out.test[clip], strict=True)}
    return {"clip": clip, "mean": short(mean), "factors": factors}


def tells(features: Features, held_out: HeldOut, number: int, column: int) -> float | None:
    """`probe_r2` of a factor by one feature alone; None where the factor does not vary."""
    train, test = (means[:, number : number + 1] for means in (features.train_means, features.test_means))
    try:
        return short(probe_r2(train, held_out.train[:, column], test, held_out.test[:, column]))
    except UndefinedError:
        return None


def binned(factor: NDArray[np.float64], means: NDArray[np.float64], bins: int = BINS) -> list[dict[str, Any]]:
    """Mean of a feature's means [m] in each bin of a factor [m], with the bin's ends; empty bins are left out.

    >>> binned(np.array([0.0, 1.0, 4.0]), np.array([2.0, 4.0, 5.0]), 2)
    [{'low': 0.0, 'high': 2.0, 'mean': 3.0, 'clips': 2}, {'low': 2.0, 'high': 4.0, 'mean': 5.0, 'clips': 1}]
    """
    edges = np.linspace(factor.min(), factor.max(), bins + 1)
    place = np.digitize(factor, edges[1:-1])
    found = []
    for number in np.unique(place).tolist():
        own = means[place == number]
        ends = {"low": short(edges[number]), "high": short(edges[number + 1])}
        found.append({**ends, "mean": short(own.mean()), "clips": len(own)})
    return found


def top(means: NDArray[np.float64], count: int = TOP) -> list[int]:
    """Places of the clips with the highest means [m], highest first; clips in which a feature never acts are left out.

    >>> top(np.array([0.0, 2.0, 1.0]))
    [1, 2]
    """
    order = np.argsort(-means, kind="stable")[:count]
    return [int(clip) for clip in order if means[clip] != 0]


def short(value: float) -> float:
    """A number of few digits, as it is kept for the page.

    >>> short(0.123456789)
    0.12346
    """
    return float(f"{float(value):.{DIGITS}g}")
