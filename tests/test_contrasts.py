"""Which entrants beat a control: gains by hand, verdicts that hold for all entrants at once."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.board.contrasts import AHEAD, BEHIND, FEW, NEITHER, Record, contrasts
from earwitness.board.facts import MetricFacts
from earwitness.board.values import Measured
from earwitness.stats.intervals import Sampling

SAMPLING = Sampling(draws=400)


def _measured(values: np.ndarray) -> Measured:
    """Values [N, E, M] of items that are their own clusters."""
    items, entrants, metrics = values.shape
    nothing = np.zeros((items, entrants), dtype=bool)
    return Measured(
        items=[f"item-{index}" for index in range(items)],
        clusters=np.arange(items),
        entrants=[(f"entrant{index}", "hash") for index in range(entrants)],
        metrics=[f"m{index}" for index in range(metrics)],
        values=values,
        failed=np.zeros(values.shape, dtype=bool),
        lost=nothing,
        absent=nothing,
        floor=0,
    )


def _facts(*directions: str) -> list[MetricFacts]:
    return [
        MetricFacts(f"m{index}", f"m{index}", direction, (0.0, 1.0), "")  # type: ignore[arg-type]
        for index, direction in enumerate(directions)
    ]


def _found(records: list[Record], control: int, entrant: int, metric: str) -> Record:
    (record,) = [r for r in records if (r["control"], r["entrant"], r["metric"]) == (control, entrant, metric)]
    return record


def test_a_gain_is_the_mean_difference_turned_to_where_faithful_is() -> None:
    values = np.zeros((4, 2, 2))
    values[:, 1, 0] = [0.1, 0.2, 0.3, 0.4]
    values[:, 1, 1] = [0.1, 0.2, 0.3, 0.4]
    records = contrasts(_measured(values), _facts("higher", "lower"), [0], SAMPLING)
    assert len(records) == 2
    higher, lower = (_found(records, 0, 1, metric) for metric in ("m0", "m1"))
    assert higher["gain"] == pytest.approx(0.25)
    assert lower["gain"] == pytest.approx(-0.25)
    assert higher["low"] < 0.25 < higher["high"]
    assert (lower["low"], lower["high"]) == (pytest.approx(-higher["high"]), pytest.approx(-higher["low"]))


def test_verdicts_tell_ahead_behind_and_neither() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (60, 4, 1))
    values[:, 1] += 0.2
    values[:, 2] -= 0.2
    records = contrasts(_measured(values), _facts("higher"), [0], SAMPLING)
    assert [_found(records, 0, entrant, "m0")["verdict"] for entrant in (1, 2, 3)] == [AHEAD, BEHIND, NEITHER]


def test_among_many_entrants_without_skill_hardly_ever_one_is_said_to_be_ahead() -> None:
    rng = np.random.default_rng(1)
    said = 0
    for _ in range(40):
        records = contrasts(_measured(rng.normal(0, 1, (30, 12, 1))), _facts("higher"), [0], Sampling(draws=20))
        said += any(record["verdict"] != NEITHER for record in records)
    # At a level of .05 more than 7 of 40 come by chance once in 500 times; unadjusted it would be about 20.
    assert said <= 7


def test_a_description_has_no_contrast_and_a_metric_without_values_no_verdict() -> None:
    values = np.zeros((5, 2, 2))
    values[:, :, 1] = np.nan
    records = contrasts(_measured(values), _facts("none", "higher"), [0, 1], SAMPLING)
    assert {(r["control"], r["entrant"], r["metric"]) for r in records} == {(0, 1, "m1"), (1, 0, "m1")}
    assert all(record["gain"] is None and record["verdict"] == NEITHER for record in records)


def test_without_a_control_there_is_nothing_to_compare() -> None:
    assert contrasts(_measured(np.zeros((3, 2, 1))), _facts("higher"), [], SAMPLING) == []
    assert contrasts(_measured(np.zeros((3, 1, 1))), _facts("higher"), [0], SAMPLING) == []


def test_too_few_items_to_tell_are_said_to_be_so() -> None:
    values = np.zeros((8, 3, 2))
    values[:, 1:, :] = 1.0
    values[:6, :, 1] = np.nan
    records = contrasts(_measured(values), _facts("higher", "higher"), [0], SAMPLING)
    # Two are tested on each side: 2 * 2 / 2 ** 8 is below the level, 2 * 2 / 2 ** 2 is not.
    assert {_found(records, 0, entrant, "m0")["verdict"] for entrant in (1, 2)} == {AHEAD}
    assert {_found(records, 0, entrant, "m1")["verdict"] for entrant in (1, 2)} == {FEW}
    assert _found(records, 0, 1, "m1")["gain"] == 1.0
