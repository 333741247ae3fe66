"""What every dataset takes: a number of items and a seed, held to their bounds whoever calls."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from earwitness.parameters import ParameterError

DATASETS = (
    "librispeech",
    "musiccaps",
    "mustc",
    "notes",
    "scenes",
    "slakh",
    "spoken",
    "stems",
    "stems_notes",
    "tones",
)


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"items": -1}, "parameter items must be greater than 0, not -1"),
        ({"items": 0}, "parameter items must be greater than 0, not 0"),
        ({"items": "2"}, "parameter items must be a valid integer, not '2'"),
        ({"items": 10**7}, "parameter items must be less than or equal to 100000, not 10000000"),
        ({"items": 1, "seed": -1}, "parameter seed must be greater than or equal to 0, not -1"),
        ({"items": 1, "seed": 0.5}, "parameter seed must be a valid integer"),
        ({}, "parameter items is missing; it has no default"),
    ],
)
def test_items_and_seeds_that_are_none_are_one_line(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        import_module(f"earwitness.datasets.{name}").load("", **given)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("name", ["scenes", "stems"])
def test_a_source_may_be_named(name: str) -> None:
    load = import_module(f"earwitness.datasets.{name}").load
    assert [record.id for record in load(source="", items=2)] == [record.id for record in load("", items=2)]
