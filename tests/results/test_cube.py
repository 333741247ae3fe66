"""The cube: by hand, and against the rule written out slowly, on random rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness import metrics as declared
from earwitness.results.cube import FLOOR, Cube, Sides, cube, side_by_side
from earwitness.results.rows import Row, Status, table
from earwitness.results.versions import Preferred

HIGHER, LOWER, ENDLESS = "fid_cf@top30", "fid_f@top30", "kl_f@top30"
ROW = Row(
    submission="mine", submission_hash="s", task="t", task_version=1, task_hash="h", metric=HIGHER, item="a",
    cluster="c", generation_seed=0, explainer_seed=0, value=0.5, status="ok", reason="", seconds=1.0, forwards=1,
    backwards=0, peak_bytes=1, isolation="process", run="r",
)  # fmt: skip


def row(submission: str, item: str, value: float | None, status: str = "", **changes: Any) -> Row:
    """A row of a submission; without a value it failed unless a status says otherwise."""
    status = status or ("ok" if value is not None else "failed")
    changes = {"cluster": item, "run": submission, **changes}
    return replace(ROW, submission=submission, item=item, value=value, status=status, **changes)


def of(found: Cube, submission: str, metric: str = HIGHER, name: str = "values") -> list[float]:
    entrant = [entry for entry, _ in found.entrants].index(submission)
    column: list[float] = getattr(found, name)[entrant, :, found.metrics.index(metric)].tolist()
    return column


def test_values_are_means_over_seeds() -> None:
    some = [row("mine", "a", value, generation_seed=g, explainer_seed=x) for g, x, value in
            ((0, 0, 0.1), (1, 0, 0.2), (0, 1, 0.3), (1, 1, 0.8))]  # fmt: skip
    assert of(cube(table(some)), "mine") == pytest.approx([0.35])


def test_a_failed_value_is_the_floors_on_the_same_item_and_seed() -> None:
    floor = [row(FLOOR, item, value) for item, value in (("a", 0.1), ("b", 0.3))]
    found = cube(table([*floor, row("mine", "a", 0.9), row("mine", "b", None)]))
    assert of(found, "mine") == [0.9, 0.3]
    assert of(found, "mine", name="failed") == [False, True]


def test_where_the_floor_failed_too_it_is_the_floors_mean_over_its_items() -> None:
    floor = [row(FLOOR, item, value) for item, value in (("a", 0.1), ("b", 0.3), ("c", None))]
    found = cube(table([*floor, *(row("mine", item, value) for item, value in (("a", 1), ("b", 1), ("c", None)))]))
    assert of(found, FLOOR)[2] == of(found, "mine")[2] == pytest.approx(0.2)


@pytest.mark.parametrize(("metric", "worst"), [(HIGHER, -1.0), (LOWER, 1.0), (ENDLESS, 7.0)])
def test_without_a_floor_it_is_the_worst_end_of_the_range_or_the_worst_value_seen(metric: str, worst: float) -> None:
    some = [row("mine", "a", None, metric=metric), row("other", "a", 0.7, metric=metric)]
    found = cube(table([*some, row("other", "b", 7.0, metric=metric)]))
    assert of(found, "mine", metric)[0] == worst


def test_one_failed_row_counts_for_every_generation_seed_that_applies() -> None:
    floor = [row(FLOOR, "a", value, generation_seed=seed) for seed, value in enumerate((0.1, 0.2, 0.6))]
    found = cube(table([*floor, row("mine", "a", None)]))
    assert of(found, "mine") == pytest.approx([0.3])


def test_a_seed_that_is_left_out_failed_and_is_not_the_mean_of_the_others() -> None:
    floor = [row(FLOOR, "a", 0.2, generation_seed=seed) for seed in (0, 1)]
    found = cube(table([*floor, row("mine", "a", 0.8)]))
    assert of(found, "mine") == [0.5]
    assert of(found, "mine", name="failed") == [True]


def test_an_item_that_was_not_run_is_missing_and_did_not_fail() -> None:
    found = cube(table([row(FLOOR, "a", 0.1), row(FLOOR, "b", 0.2), row("mine", "a", 0.9)]))
    assert np.isnan(of(found, "mine")[1])
    assert of(found, "mine", name="missing") == [False, True]
    assert not found.failed.any()
    assert found.shortfalls([0]) == ["1 of 2 items run", ""]


def test_a_metric_that_an_older_card_did_not_have_is_missing_and_leaves_its_entrant_unranked() -> None:
    old = [row("mine", item, 0.9, metric=LOWER) for item in "ab"]
    found = cube(table([*old, *(row(FLOOR, item, 0.1, metric=metric) for item in "ab" for metric in (LOWER, HIGHER))]))
    assert np.isnan(of(found, "mine", HIGHER)).all()
    assert found.shortfalls([0, 1]) == [f"{HIGHER} not measured on 2 of 2 items", ""]
    assert found.shortfalls([found.metrics.index(LOWER)]) == ["", ""]


def test_skipped_by_all_does_not_apply_and_skipped_alone_failed() -> None:
    skip = {"value": None, "status": Status.SKIPPED}
    some = [row(FLOOR, "a", 0.1), row(FLOOR, "b", **skip), row("mine", "a", **skip), row("mine", "b", **skip)]
    found = cube(table(some))
    assert of(found, "mine")[0] == 0.1
    assert np.isnan(of(found, "mine")[1])
    assert found.failed.sum() == 1
    assert found.shortfalls([0]) == ["", ""]


def test_a_value_that_is_not_finite_failed() -> None:
    found = cube(table([row(FLOOR, "a", 0.1), row("mine", "a", float("inf"))]))
    assert of(found, "mine") == [0.1]
    assert found.lost.tolist() == [[True], [False]]


def test_items_that_the_floor_was_not_run_on_count_for_nobody() -> None:
    found = cube(table([row(FLOOR, "a", 0.1), row("mine", "a", 0.9), row("mine", "b", 0.9), row("late", "b", 1)]))
    assert (found.roster.tolist(), found.shortfalls([0])) == ([True, False], ["0 of 1 items run", "", ""])
    counted = found.on_roster()
    assert counted.items == ["a"]
    assert counted.notes == ("1 items that 'random' was not run on are left out.",)


def test_disjoint_items_leave_both_unranked_and_share_nothing() -> None:
    found = cube(table([row("mine", "a", 0.9), row("other", "b", 0.9)]))
    assert found.shortfalls([0]) == ["1 of 2 items run"] * 2
    assert not found.shared(0, 1).any()


def test_rows_of_another_version_of_a_metric_never_meet_the_others_and_are_noted() -> None:
    new = [row(FLOOR, item, 0.1, metric_hash="new") for item in "ab"]
    found = cube(table([*new, row("mine", "a", 0.9, metric_hash="old"), row("mine", "b", 0.8, metric_hash="new")]))
    assert of(found, "mine", name="missing") == [True, False]
    assert found.notes == (
        f"{HIGHER}: 1 rows measured by another version are left out; `earwitness score RUN` measures again.",
    )
    other = cube(table([*new, row("mine", "a", 0.9, metric_hash="old")]), preferred=Preferred(metrics={HIGHER: "old"}))
    assert of(other, FLOOR, name="missing") == [True, True]


def test_a_smaller_run_does_not_replace_rows_of_the_whole_one() -> None:
    whole = [row("mine", item, 0.9, run="whole") for item in "abc"]
    assert of(cube(table([row("mine", "a", 0.1, run="few"), *whole])), "mine") == [0.9, 0.9, 0.9]


def test_no_rows_are_an_empty_cube_and_one_entrant_stands_alone() -> None:
    nothing = cube(table([]))
    assert (nothing.values.shape, nothing.shortfalls([]), nothing.floor) == ((0, 0, 0), [], None)
    alone = cube(table([row("mine", "a", 0.9)]))
    assert (of(alone, "mine"), alone.shortfalls([0])) == ([0.9], [""])


def test_the_same_submission_stands_beside_itself() -> None:
    before, after = table([row("mine", "a", 0.9)]), table([row("mine", "a", None)])
    found = side_by_side(Sides(before, after, table([row(FLOOR, "a", 0.2)])))
    assert found.values[:, 0, 0].tolist() == [0.9, 0.2, 0.2]


def test_what_is_claimed_must_hold_with_failed_items_at_the_worst_value_seen() -> None:
    floor = [row(FLOOR, item, value) for item, value in (("a", 0.3), ("b", 0.1))]
    found = cube(table([*floor, row("mine", "a", None), row("mine", "b", 0.9)]))
    assert of(found, "mine", name="values_at_worst") == [0.1, 0.9]
    assert of(found, FLOOR, name="values_at_worst") == [0.3, 0.1]


ENTRANTS = ((FLOOR, "f1"), ("one", "h"), ("one", "i"), ("two", "h"))
ITEMS, SEEDS, METRICS = "abc", (0, 1), (HIGHER, LOWER, ENDLESS, "size")
OUTCOMES = st.sampled_from(["ok", "ok", "ok", "nan", "failed", "timed_out", "skipped", ""])


@st.composite
def row_sets(draw: st.DrawFn) -> list[Row]:
    """Rows of some of all keys, some of them twice, of another run or another version of their metric."""
    some = []
    entrants = draw(st.lists(st.sampled_from(ENTRANTS), min_size=1, unique=True))
    for entrant, item, g, x, metric in product(entrants, ITEMS, SEEDS, SEEDS, METRICS[: draw(st.integers(1, 4))]):
        for run in draw(st.sampled_from([("r",), ("r",), ("r",), ("q", "r")])):
            outcome = draw(OUTCOMES)
            if not outcome:
                continue
            value = draw(st.integers(-9, 9)) / 10 if outcome == "ok" else float("nan") if outcome == "nan" else None
            some.append(
                replace(
                    ROW, submission=entrant[0], submission_hash=entrant[1], item=item, cluster=f"c{item in 'ab'}",
                    metric=metric, generation_seed=g, explainer_seed=x, value=value, run=f"{run}-{entrant}",
                    status="ok" if outcome == "nan" else outcome, metric_hash=draw(st.sampled_from(["", "", "", "m"])),
                )
            )  # fmt: skip
    return some


def slow(some: list[Row]) -> dict[tuple[Any, ...], float]:
    """The rule, literally: the value of each entrant, item and metric that has one."""
    kept: dict[tuple[Any, ...], Row] = {}
    for metric in {r.metric for r in some}:
        version = _version(metric, some)
        sizes = Counter(r.run for r in some if _counts(r, some))
        for r in [r for r in some if r.metric == metric and r.metric_hash == version]:
            key = (r.submission, r.submission_hash), r.item, r.generation_seed, r.explainer_seed, r.metric
            if key not in kept or (-sizes[r.run], r.run) < (-sizes[kept[key].run], kept[key].run):
                kept[key] = r
    ok = {
        key: float(r.value)
        for key, r in kept.items()
        if r.status == "ok" and r.value is not None and r.value == r.value
    }
    entrants = sorted({key[0] for key in kept} | {(r.submission, r.submission_hash) for r in some})
    found = {}
    for e, n, m in product(entrants, ITEMS, METRICS):
        cells = [_cell(kept, ok, (e, n, g, x, m)) for g in SEEDS for x in SEEDS]
        values = [value for value in cells if value is not None]
        if values:
            found[e, n, m] = float(np.mean(values))
    return found


def _counts(r: Row, some: list[Row]) -> bool:
    """Whether a row is of the version of its metric that counts."""
    return r.metric_hash == _version(r.metric, some)


def _version(metric: str, some: list[Row]) -> str:
    """The floor's version of a metric where it has rows of it, else everybody's; of several the most frequent."""
    every = Counter(r.metric_hash for r in some if r.metric == metric)
    floor = Counter(r.metric_hash for r in some if r.metric == metric and r.submission == FLOOR)
    counts = floor or every
    return min(counts, key=lambda name: (-counts[name], name))


def _cell(kept: dict[Any, Row], ok: dict[Any, float], key: tuple[Any, ...]) -> float | None:
    e, n, g, x, m = key
    if key in ok:
        return ok[key]
    own = [kept[e, n, other, x, m] for other in SEEDS if (e, n, other, x, m) in kept]
    if not own:
        return None
    others = {k[2] for k in ok if (k[1], k[3], k[4]) == (n, x, m)}
    if others:
        return _floor(ok, key) if g in others else None
    skipped = any((k[1], k[3], k[4]) == (n, x, m) and r.status == "skipped" for k, r in kept.items())
    return _floor(ok, key) if key in kept and not skipped else None


def _floor(ok: dict[Any, float], key: tuple[Any, ...]) -> float | None:
    _, n, g, x, m = key
    floor = next((entrant for entrant in ENTRANTS if entrant[0] == FLOOR), None)
    if (floor, n, g, x, m) in ok:
        return ok[floor, n, g, x, m]
    own = [value for k, value in ok.items() if k[0] == floor and k[4] == m]
    if own:
        return float(np.mean(own))
    metric = declared.get(m.split("@")[0])
    end = metric.range[1 if metric.direction == "lower" else 0]
    if np.isfinite(end):
        return end
    seen = [value for k, value in ok.items() if k[4] == m]
    return None if not seen else max(seen) if metric.direction == "lower" else min(seen)


def fast(rows: pa.Table) -> dict[tuple[Any, ...], float]:
    found = cube(rows)
    return {
        (found.entrants[e], found.items[n], found.metrics[m]): float(found.values[e, n, m])
        for e, n, m in np.argwhere(~np.isnan(found.values)).tolist()
    }


@settings(max_examples=150, deadline=None)
@given(row_sets())
def test_the_cube_is_what_the_rule_says(some: list[Row]) -> None:
    assert fast(table(some)) == pytest.approx(slow(some))


@settings(max_examples=60, deadline=None)
@given(row_sets(), st.randoms())
def test_the_order_of_rows_and_the_names_of_items_and_entrants_change_nothing(some: list[Row], random: Any) -> None:
    first = fast(table(some))
    names = dict(zip(ITEMS, random.sample(["x", "y", "z"], 3), strict=True))
    renamed = {"one": "zwei", "two": "drei", FLOOR: FLOOR}
    other = [replace(r, item=names[r.item], submission=renamed[r.submission]) for r in some]
    random.shuffle(other)
    expected = {((renamed[e], h), names[item], metric): value for ((e, h), item, metric), value in first.items()}
    assert fast(table(other)) == pytest.approx(expected)
