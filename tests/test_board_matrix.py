"""All pairs: as the ranking, and as two that are judged by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from earwitness import board, registry
from earwitness.board.commands import run_command
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, write_originals, write_run, write_task

Record = dict[str, object]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict]]]:
    folder, home = tmp_path_factory.mktemp("matrix"), registry.home
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "home", lambda kind: folder / "registry" if kind == "tasks" else home(kind))
        plan = Plan(failing={"attention": (3,)})
        plan = replace(plan, task_hash=read_task(write_task(folder / "registry", plan)).hash)
        for submission in plan.skill:
            write_run(folder / "runs", plan, submission)
        write_originals(folder / "runs", plan)
        path = board.build(folder / "runs", folder / "board", Resampling(draws=50))
        connection = board.connect(path)
        names = ("pairs", "ranks", "sentences", "runs", "item_values", "metrics")
        yield {name: board.records(connection, f"SELECT * FROM {name}") for name in names}
        connection.close()


def by_score(tables: dict[str, list[dict]]) -> dict[tuple[str, str], dict]:
    return {(row["entrant"], row["against"]): row for row in tables["pairs"] if row["metric"] == "score"}


def test_verdicts_on_pairs_by_the_score_leave_the_ranks_that_the_ranking_has(tables):
    found = by_score(tables)
    for rank in tables["ranks"]:
        mine = [row["verdict"] for (entrant, _), row in found.items() if entrant == rank["entrant"]]
        assert len(mine) == len(tables["ranks"]) - 1
        assert rank["rank_low"] == 1 + mine.count("worse")
        assert rank["rank_high"] == len(tables["ranks"]) - mine.count("better")


def test_the_gain_by_the_score_is_the_difference_of_the_scores(tables):
    scores = {rank["entrant"]: rank["score"] for rank in tables["ranks"]}
    for (entrant, against), row in by_score(tables).items():
        assert row["gain"] == pytest.approx(scores[entrant] - scores[against], abs=1e-9)
        assert (row["low"] > 0) is (row["verdict"] == "better")


def test_each_pair_stands_from_both_sides(tables):
    found = {(row["entrant"], row["against"], row["metric"]): row for row in tables["pairs"]}
    turned = {"better": "worse", "worse": "better"}
    for (entrant, against, metric), row in found.items():
        other = found[against, entrant, metric]
        assert other["verdict"] == turned.get(row["verdict"], row["verdict"])
        assert (other["gain"], other["low"], other["high"]) == (-row["gain"], -row["high"], -row["low"])
        assert other["improvement"] == pytest.approx(1 - row["improvement"])
        assert (other["needed"], other["p"]) == (row["needed"], row["p"])


def test_gains_by_a_metric_are_means_of_items_turned_so_that_above_0_is_more_faithful(tables):
    values = {(row["entrant"], row["item"], row["metric"]): row["value"] for row in tables["item_values"]}
    items = sorted({row["item"] for row in tables["item_values"]})
    for metric, sign in (("fid_f@top30", -1), ("kl_cf@top30", 1)):
        (row,) = [
            row for row in tables["pairs"]
            if (row["entrant"], row["against"], row["metric"]) == ("occlusion", "uniform", metric)
        ]  # fmt: skip
        gains = [sign * (values["occlusion", i, metric] - values["uniform", i, metric]) for i in items]
        assert row["gain"] == pytest.approx(sum(gains) / len(gains))
        assert row["verdict"] == "better"


def test_headline_metrics_of_all_pairs_are_one_family_and_any_other_one_each(tables):
    headline = {metric["metric"] for metric in tables["metrics"] if metric["headline"]}
    pairs = len(tables["ranks"]) * (len(tables["ranks"]) - 1) // 2
    families = {row["metric"]: row["family"] for row in tables["pairs"]}
    assert families.pop("score") == pairs
    for metric, family in families.items():
        expected = len(headline) * pairs if metric in headline else pairs
        assert family <= expected
        assert (family == expected) or metric not in headline
    assert "size" not in families


def test_the_sentence_names_the_highest_score_and_whom_it_is_not_better_than(tables):
    (said,) = tables["sentences"]
    leader = max(tables["ranks"], key=lambda rank: rank["score"])["entrant"]
    rivals = {other for (one, other), row in by_score(tables).items() if one == leader and row["verdict"] != "better"}
    assert said["leader"] == leader == "gradient_input"
    assert set(said["rivals"]) == rivals


def test_a_run_has_the_command_that_makes_it_again(tables):
    commands = {run["entrant"]: run["command"] for run in tables["runs"]}
    assert commands["occlusion"] == "earwitness run --task planted --submission occlusion"


TYPED = {"typed": {"explainer_seeds": [0, 1], "seed": 3}, "defaulted": {"items": 9}}


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ({"arguments": TYPED}, "--seed 3 --explainer-seeds 0,1"),
        ({"submission": {"id": "no_such", "folder": "/a b/c"}}, ""),
        ({"submission": {"id": "old", "folder": "/somewhere/submissions/old"}}, "--submission old"),
        ({"submission": {"id": "no_such", "budget": {"of": "x"}}}, "--budgets"),
        ({"task": {"id": "t", "own_model": "files abc", "model": "me/mine"}}, "--model me/mine"),
    ],
)  # fmt: skip
def test_what_was_typed_is_typed_again(recipe: Record, options: str):
    whole = {"task": {"id": "t"}, "submission": {"id": "no_such"}} | recipe
    said = run_command(whole, registered=False)
    assert said.endswith(options)
    assert ("'/a b/c'" in said) is ("/a b/c" in str(recipe))
    assert "'/a b/c'" not in run_command(whole)
    assert run_command({}) == ""
