"""Which entrants beat a control: gains by hand, verdicts that hold for all entrants at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from earwitness.board.contrasts import Record, contrasts
from earwitness.results import rows
from earwitness.results.cube import Cube, cube
from earwitness.stats.verdicts import Verdict
from gate_rows import ROW

FIRST, SECOND = "+0", "+1"
METRICS = {"higher": "fid_cf@top30", "lower": "fid_f@top30", "none": "size"}


def _cube(values: np.ndarray, *directions: str) -> Cube:
    """Values [N, E, M] of items that are their own clusters; NaN is what an entrant has no row of."""
    some = [
        replace(
            ROW,
            submission=f"entrant{entrant}",
            item=f"item-{item:03d}",
            cluster=f"item-{item:03d}",
            metric=_metric(number, directions),
            value=float(values[item, entrant, number]),
        )
        for item, entrant, number in np.argwhere(~np.isnan(values)).tolist()
    ]
    return cube(rows.table(some), [_metric(number, directions) for number in range(values.shape[2])])


def _metric(number: int, directions: Sequence[str]) -> str:
    return f"{METRICS[directions[number]]}+{number}"


def _found(records: list[Record], control: int, entrant: int, metric: str) -> Record:
    (record,) = [r for r in records if (r["control"], r["entrant"], r["metric"][-2:]) == (control, entrant, metric)]
    return record


def test_a_gain_is_the_mean_difference_turned_to_where_faithful_is() -> None:
    values = np.zeros((4, 2, 2))
    values[:, 1, 0] = [0.1, 0.2, 0.3, 0.4]
    values[:, 1, 1] = [0.1, 0.2, 0.3, 0.4]
    records = contrasts(_cube(values, "higher", "lower"), [0])
    assert len(records) == 2
    higher, lower = (_found(records, 0, 1, metric) for metric in (FIRST, SECOND))
    assert higher["gain"] == pytest.approx(0.25)
    assert lower["gain"] == pytest.approx(-0.25)
    assert higher["low"] < 0.25 < higher["high"]
    assert (lower["low"], lower["high"]) == (pytest.approx(-higher["high"]), pytest.approx(-higher["low"]))


def test_verdicts_tell_better_worse_and_neither() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (60, 4, 1))
    values[:, 1] += 0.2
    values[:, 2] -= 0.2
    records = contrasts(_cube(values, "higher"), [0])
    assert [_found(records, 0, entrant, FIRST)["verdict"] for entrant in (1, 2, 3)] == [
        Verdict.BETTER,
        Verdict.WORSE,
        Verdict.NOT_TOLD,
    ]


def test_among_many_entrants_without_skill_hardly_ever_one_is_said_to_be_better() -> None:
    rng = np.random.default_rng(1)
    said = 0
    for _ in range(40):
        records = contrasts(_cube(rng.normal(0, 1, (30, 12, 1)), "higher"), [0])
        said += any(record["verdict"] != Verdict.NOT_TOLD for record in records)
    # At a level of .05 more than 7 of 40 come by chance once in 500 times; unadjusted it would be about 20.
    assert said <= 7


def test_a_description_has_no_contrast_and_a_metric_without_values_no_verdict() -> None:
    values = np.zeros((5, 2, 2))
    values[:, :, 1] = np.nan
    records = contrasts(_cube(values, "none", "higher"), [0, 1])
    assert {(r["control"], r["entrant"], r["metric"][-2:]) for r in records} == {(0, 1, SECOND), (1, 0, SECOND)}
    assert all(record["gain"] is None and record["verdict"] == Verdict.TOO_FEW for record in records)


def test_without_a_control_there_is_nothing_to_compare() -> None:
    assert contrasts(_cube(np.zeros((3, 2, 1)), "higher"), []) == []
    assert contrasts(_cube(np.zeros((3, 1, 1)), "higher"), [0]) == []


def test_too_few_items_to_tell_are_said_to_be_so() -> None:
    values = np.zeros((8, 3, 2))
    values[:, 1:, :] = 1.0
    values[:6, :, 1] = np.nan
    records = contrasts(_cube(values, "higher", "higher"), [0])
    # Of 8 clusters the least p-value of both sides is 2 / 2 ** 8, which is below the level; 2 / 2 ** 2 is not.
    assert {_found(records, 0, entrant, FIRST)["verdict"] for entrant in (1, 2)} == {Verdict.BETTER}
    assert {_found(records, 0, entrant, SECOND)["verdict"] for entrant in (1, 2)} == {Verdict.TOO_FEW}
    assert _found(records, 0, 1, SECOND)["gain"] == 1.0


def test_an_entrant_that_fails_on_its_worst_items_is_not_better_for_that() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 1, (100, 2, 1))
    (honest,) = contrasts(_cube(values, "higher"), [0])
    assert honest["verdict"] == Verdict.NOT_TOLD
    values[np.argsort(values[:, 1, 0] - values[:, 0, 0])[:60], 1] = np.inf
    (record,) = contrasts(_cube(values, "higher"), [0])
    assert record["verdict"] != Verdict.BETTER
    assert record["items"] == 100
