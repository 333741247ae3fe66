"""The sentence of a task, case by case, from rows made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from earwitness.board.sentences import Lead, sentence_record

Record = dict[str, Any]
TASK = {
    "items": 40,
    "clusters": 40,
    "ranked_by": "calibrated",
    "main_metric": "fid",
    "headline": ["fid", "kl"],
    "floor": "random",
}
METRICS = [
    {"metric": "fid", "headline": True, "informative": True, "share": 0.5},
    {"metric": "kl", "headline": True, "informative": True, "share": 0.5},
]  # fmt: skip


def rank(entrant: str, score: float | None, seconds: float | None = 1.0, **others: Any) -> Record:
    return {"entrant": entrant, "score": score, "seconds": seconds, "forwards": 1.0, "failed": 0, "note": "", **others}


def pair(entrant: str, against: str, verdict: str, needed: float | None) -> Record:
    return {"entrant": entrant, "against": against, "metric": "score", "verdict": verdict, "needed": needed}


def board(ranks: list[Record], **tables: list[Record]) -> dict[str, list[Record]]:
    kinds = {"random": "control", "uniform": "control"}
    submissions = [{"entrant": r["entrant"], "kind": kinds.get(r["entrant"], "baseline")} for r in ranks]
    return {"tasks": [TASK], "metrics": METRICS, "ranks": ranks, "submissions": submissions, **tables}


FOUR = [rank("a", 0.4, 2.0), rank("b", 0.35, 0.004), rank("c", 0.3, 0.5), rank("random", 0.0, 0.0)]


def test_several_that_are_not_told_apart_are_named_with_the_cheapest_and_the_items_that_would_settle_it():
    pairs = [pair("a", "b", "not told apart", 57_812.0), pair("a", "c", "not told apart", 930.0)]
    pairs += [pair("b", "a", "not told apart", 3.0), pair("a", "random", "better", 5.0)]
    found = sentence_record(board(FOUR, pairs=pairs), Lead(["a", "b", "c", "random"], ["b", "c"]))
    assert found["sentence"] == (
        "a leads (score 0.40), but 40 items do not tell it apart from b and c; the cheapest of these 3 is b (0.004 CPU "
        "s an item); at gaps as seen, about 930 to 58,000 items would settle it."
    )
    assert (found["leader"], found["rivals"], found["cheapest"], found["caveat"]) == ("a", ["b", "c"], "b", "")
    assert (found["needed_low"], found["needed_high"]) == (930.0, 57_812.0)


def test_a_single_leader_is_better_than_all_others_and_nothing_is_left_to_settle():
    found = sentence_record(board(FOUR), Lead(["a", "b", "c", "random"], []))
    assert found["sentence"] == (
        "a leads alone (score 0.40): on 40 items it is better than all 3 others; it takes 2 CPU s an item."
    )
    assert found["needed_low"] is None


def test_who_is_equivalent_is_said_and_takes_no_more_items():
    pairs = [pair("a", "b", "equivalent", 1e5), pair("a", "c", "not told apart", 100.0)]
    found = sentence_record(board(FOUR, pairs=pairs), Lead(["a", "b", "c", "random"], ["b", "c"]))
    assert "; b is equivalent to a; " in found["sentence"]
    assert found["sentence"].endswith("about 100 items would settle it.")


def test_items_that_are_too_few_for_every_rival_are_said_to_be():
    few, other = pair("a", "b", "too few items", None), pair("a", "c", "not told apart", 100.0)
    lead = Lead(["a", "b", "c", "random"], ["b"])
    said = sentence_record(board(FOUR, pairs=[few]), lead)["sentence"]
    assert said.startswith("a leads (score 0.40), but 40 items are too few to tell it apart from b;")
    said = sentence_record(board(FOUR, pairs=[few, other]), Lead(lead.ranked, ["b", "c"]))["sentence"]
    assert said.startswith("a leads (score 0.40), but 40 items do not tell it apart from b and c;")


def test_many_rivals_are_counted_and_the_record_has_them_all():
    names = [f"e{number}" for number in range(10)]
    ranks = [rank(name, 0.5 - number / 100) for number, name in enumerate(names)]
    found = sentence_record(board(ranks), Lead(names, names[1:]))
    assert "apart from e1, e2, e3, e4, e5, e6 and 3 more;" in found["sentence"]
    assert found["rivals"] == names[1:]


@pytest.mark.parametrize(
    ("clusters", "end"), [(4, "submissions apart; it takes 6 clusters at least."), (7, "submissions apart.")]
)
def test_too_few_items_are_said_to_be_too_few(clusters: int, end: str):
    tables = board([rank("a", 0.4), rank("random", 0.0)]) | {
        "tasks": [TASK | {"items": clusters, "clusters": clusters}]
    }
    said = sentence_record(tables, Lead(decidable=False))["sentence"]
    assert said.startswith(f"Nobody leads: {clusters} items in {clusters} clusters are too few items to tell any two ")
    assert said.endswith(end)


def test_where_no_headline_metric_is_informative_nobody_is_ranked():
    dull = [metric | {"informative": False} for metric in METRICS]
    tables = board([rank("a", None)]) | {"metrics": dull, "tasks": [TASK | {"headline": []}]}
    assert sentence_record(tables, Lead())["sentence"] == (
        "Nobody is ranked: by the task's audit none of its headline metrics is informative."
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"floor": None}, "there are no rows of random"),
        ({"headline": []}, "none of the headline metrics has both an audit and a ceiling"),
        ({}, "no submission has values of every item and metric"),
    ],
)
def test_why_nobody_is_ranked_is_said(changed: Record, why: str):
    tables = board([rank("a", None)]) | {"tasks": [TASK | changed]}
    assert sentence_record(tables, Lead())["sentence"].startswith(f"Nobody is ranked: {why}")


def test_one_entrant_alone_is_compared_with_nobody():
    found = sentence_record(board([rank("a", 0.4, 0.25)]), Lead(["a"], []))
    assert found["sentence"] == (
        "a (score 0.40) is alone in the ranking: there is nobody to compare it with; it takes 0.25 CPU s an item."
    )


def test_one_entrant_beside_a_control_is_held_against_it():
    ranks = [rank("a", 0.4), rank("random", 0.0)]
    found = sentence_record(board(ranks), Lead(["a", "random"], []))
    assert "a leads alone (score 0.40): on 40 items it is better than random;" in found["sentence"]


def test_a_control_that_leads_is_called_one_and_is_not_the_cheapest():
    ranks = [rank("random", 0.01, 0.0), rank("a", 0.0, 3.0)]
    found = sentence_record(board(ranks), Lead(["random", "a"], ["a"]))
    assert found["sentence"].startswith(
        "The control random leads (score 0.01), but 40 items do not tell it apart from a;"
    )
    assert found["cheapest"] == "a"


SANITY = [{"entrant": "a", "flag": "They do not change when the input is noise: no drop was found (agreement .98)"}]
TURNED = [
    {"change": "mask top10", "entrant": "a", "rank_low": 2, "tau": 0.7, "tau_low": None},
    {"change": "judge cnn", "entrant": "a", "rank_low": 4, "tau": 0.7, "tau_low": None},
    {"change": "judge other", "entrant": "b", "rank_low": 9, "tau": 0.7, "tau_low": None},
]
WITHOUT = [{"metric": "kl", "entrant": "a", "rank_low": 2}]
DULL = [METRICS[0], METRICS[1] | {"informative": False, "share": None}]
OTHER_ORDER = [{"change": "mask soft", "entrant": "a", "rank_low": 1, "tau": 0.1, "tau_low": 0.3}]


@pytest.mark.parametrize(
    ("tables", "caveat"),
    [
        ({"sanity": SANITY, "changes": TURNED}, "explanations of a do not change when the input is noise"),
        ({"changes": TURNED, "metrics": DULL}, "3 others are better than a under judge cnn"),
        ({"changes": TURNED[:1]}, "another submission is better than a under mask top10"),
        ({"exclusions": WITHOUT}, "another submission is better than a without kl"),
        ({"metrics": DULL, "changes": OTHER_ORDER}, "kl is uninformative here and in no score"),
        ({"changes": OTHER_ORDER}, "under mask soft the order is another (Kendall's tau 0.10)"),
        ({"metrics": [METRICS[0] | {"share": 0.9}, METRICS[1]]}, "fid alone makes 90 % of what parts the scores"),
        ({"tasks": [TASK | {"ranked_by": "raw"}]}, "the rank is by fid alone, uncalibrated"),
        ({"ranks": [rank("a", 0.4, failed=3), *FOUR[1:]]}, "a failed on 3 items"),
    ],
)  # fmt: skip
def test_the_largest_caveat_is_said_and_no_other(tables: dict[str, list[Record]], caveat: str):
    found = sentence_record(board(FOUR) | tables, Lead(["a", "b", "c", "random"], ["b"]))
    assert found["caveat"] == f"caveat: {caveat}"
    assert found["sentence"].endswith(f"; caveat: {caveat}.")
    assert found["sentence"].count("caveat") == 1


def test_a_control_among_those_that_are_not_told_apart_is_the_largest_caveat():
    found = sentence_record(board(FOUR, sanity=SANITY), Lead(["a", "b", "c", "random"], ["b", "c", "random"]))
    assert found["caveat"] == "caveat: random, a control, is among them"
    assert found["cheapest"] == "b"


def test_a_leader_that_is_another_on_held_out_items_is_said_to_be():
    found = sentence_record(board(FOUR), Lead(["a", "b"], ["b"]), [{"entrant": "a", "flagged": True}])
    assert found["caveat"] == "caveat: a is not the same on held-out items, beyond chance"


def test_whose_cost_nobody_saw_is_not_the_cheapest():
    ranks = [rank("a", 0.4, None, forwards=None), rank("b", 0.3, 5.0)]
    assert sentence_record(board(ranks), Lead(["a", "b"], ["b"]))["cheapest"] == "b"
    assert sentence_record(board(ranks[:1]), Lead(["a"], []))["cheapest"] is None
