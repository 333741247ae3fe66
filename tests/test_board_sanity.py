"""What the board says of entrants whose sanity was looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from earwitness import board
from earwitness.board.sanity import ITSELF
from earwitness.results.sanity import SANITY, write_sanity
from earwitness.stats.intervals import Resampling
from synthetic import Plan, look_at, write_run

PLAN = Plan(skill={"random": 0.0, "occlusion": 0.7, "uniform": 0.1}, items=6)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    return {id: write_run(tmp_path / "runs", PLAN, id) for id in PLAN.skill}


def sanity_of(folder: Path) -> list[dict]:
    path = board.build(folder / "runs", folder / "board", Resampling(draws=20))
    connection = board.connect(path)
    try:
        return board.records(connection, "SELECT * FROM sanity ORDER BY entrant, position")
    finally:
        connection.close()


def test_who_was_looked_at_has_a_record_of_each_check(tmp_path: Path, runs: dict[str, Path]) -> None:
    look_at(runs["uniform"], PLAN, "uniform", 0.99)
    look_at(runs["occlusion"], PLAN, "occlusion", 0.1)
    found = sanity_of(tmp_path)
    assert [(row["entrant"], row["position"]) for row in found] == [
        (entrant, position) for entrant in ("occlusion", "uniform") for position in range(3)
    ]
    first, last, moved = found[3:]
    assert (first["check"], first["agreement"], first["entropy"], first["gini"]) == (ITSELF, 1.0, 0.5, 0.6)
    assert (last["share"], last["agreement"], last["entropy"], last["rise_p"]) == (1.0, 0.99, 0.7, 0.004)
    assert last["flag"].startswith("They do not change when the parameters of 4 of 4 layers")
    assert (moved["agreement"], moved["skipped"], moved["flag"]) == (None, "the prompt has one word", "")
    assert all(not row["flag"] for row in found[:3])


def test_a_look_at_another_version_or_one_that_cannot_be_read_says_so(tmp_path: Path, runs: dict[str, Path]) -> None:
    look = look_at(runs["uniform"], PLAN, "uniform", 0.99)
    write_sanity(runs["uniform"], look.model_copy(update={"submission_hash": "0" * 16}))
    (runs["occlusion"] / SANITY).write_text("{}")
    occlusion, uniform = sanity_of(tmp_path)
    assert uniform["skipped"].startswith("it was looked at as another version")
    assert "is no sanity of an entrant" in occlusion["skipped"]
    assert not uniform["flag"] + occlusion["flag"]


def test_of_two_looks_the_one_at_more_items_counts(tmp_path: Path, runs: dict[str, Path]) -> None:
    few = write_run(tmp_path / "few", replace(PLAN, items=3), "uniform").rename(tmp_path / "runs" / "few")
    look_at(few, PLAN, "uniform", 0.2)
    look = look_at(runs["uniform"], PLAN, "uniform", 0.99)
    write_sanity(runs["uniform"], look.model_copy(update={"items": 20}))
    assert {row["items"] for row in sanity_of(tmp_path) if row["check"] == ITSELF} == {20}
