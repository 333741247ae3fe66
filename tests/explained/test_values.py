"""Values of one input, from rows that are written by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from earwitness import registry
from earwitness.explained.values import InputValues, input_values, noise_of
from earwitness.results.rows import SCHEMA, Status
from earwitness.task import TaskCard

CARD = registry.task("micro_prompt").card


def rows(*given: tuple[str, int, int, float | None, str, str]) -> pa.Table:
    """Rows of metric, generation seed, explainer seed, value, status and reason."""
    blank: dict[str, Any] = {
        field.name: "" if field.type == pa.string() else 0 for field in SCHEMA if field.name != "plausible_forwards"
    }
    keys = ("metric", "generation_seed", "explainer_seed", "value", "status", "reason")
    listed = [{**blank, "plausible_forwards": None, **dict(zip(keys, each, strict=True))} for each in given]
    return pa.Table.from_pylist(listed, SCHEMA)


def ok(metric: str, generation: int, explainer: int, value: float) -> tuple[str, int, int, float, str, str]:
    return metric, generation, explainer, value, Status.OK, ""


@pytest.fixture
def found() -> InputValues:
    mine = rows(
        ok("fid_f@top30", 0, 0, 0.2),
        ok("fid_f@top30", 1, 0, 0.4),
        ok("fid_f@top30+scale+cnn", 0, 0, 0.9),
        ok("fid_noise", 0, 0, 0.1),
        ok("fid_noise", 1, 0, 0.3),
        ("shapley_spearman", 0, 0, None, Status.SKIPPED, "no truth"),
        ("word_ap@class", 0, 0, None, Status.SKIPPED, "no truth"),
    )
    floor = rows(
        *(ok("fid_f@top30", g, e, 0.5 + 0.1 * e + 0.02 * g) for g in (0, 1) for e in (0, 1, 2)),
        *(ok("fid_noise", g, e, 0.1 + 0.2 * g) for g in (0, 1) for e in (0, 1, 2)),
    )
    broken = rows(*((metric.id, 0, 0, None, Status.TIMED_OUT, "too slow") for metric in CARD.metrics))
    return input_values(CARD, {"mine": mine, "broken": broken, "random": floor}, ["mine", "broken"])


def test_values_are_means_over_generation_seeds_and_floors_stand_beside_them(found: InputValues) -> None:
    assert [metric.id for metric in found.metrics] == ["fid_f@top30", "fid_f@top30+scale+cnn", "fid_noise"]
    first = found.metrics[0]
    assert (first.headline, first.direction) == (True, "lower")
    assert first.values == {"mine": pytest.approx(0.3), "broken": None}
    assert first.floor is not None
    assert first.floor.draws == pytest.approx((0.51, 0.61, 0.71))
    assert first.floor.mean == pytest.approx(0.61)
    assert first.noise == pytest.approx(0.2)


def test_what_has_no_value_is_named_with_its_reason(found: InputValues) -> None:
    assert found.skipped == {"no truth": ("word_ap@class", "shapley_spearman")}
    assert found.failed == {"broken": "too slow"}
    record = found.record()
    assert record["left_out"] == {"no truth": ["word_ap@class", "shapley_spearman"]}
    assert record["metrics"][1]["random"] is None


def noises(card: TaskCard) -> dict[str, str]:
    return {metric.id: noise_of(card, metric) for metric in card.metrics}


def test_a_noise_floor_is_heard_by_the_same_judge_and_a_description_has_none() -> None:
    found = noises(CARD)
    assert (found["fid_f@top30"], found["kl_cf@top30"]) == ("fid_noise", "kl_noise")
    # The card has no noise as the other judge hears it.
    assert found["fid_f@top30+scale+cnn"] == ""
    assert (found["fid_noise"], found["size"], found["word_ap@class"]) == ("", "", "")
    assert set(noises(registry.task("micro_speech").card).values()) == {""}
