"""The landing page, the two of a comparison, and the numbers that a reader takes along."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from earwitness import board

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


def opened(page: Path, monkeypatch: pytest.MonkeyPatch, screen: str = "", **address: str) -> AppTest:
    monkeypatch.syspath_prepend(str(page.parent))
    app = AppTest.from_file(str(page), default_timeout=120)
    if screen:
        app.run()
        app.switch_page(f"screens/{screen}.py")
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.fixture
def at(planted_board: Path, page: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EARWITNESS_BOARD", str(planted_board))
    return lambda screen="", **address: opened(page, monkeypatch, screen, **address)


def stored(planted_board: Path, sql: str) -> list[dict]:
    connection = board.connect(planted_board)
    try:
        return board.records(connection, sql)
    finally:
        connection.close()


def plain(text: str) -> str:
    return text.replace("\\", "")


def test_the_board_opens_with_the_stored_sentence_of_every_task(at, planted_board):
    app = at()
    shown = plain("\n".join(part.value for part in app.markdown))
    for row in stored(planted_board, "SELECT sentence FROM sentences"):
        assert row["sentence"] in shown
    table = app.dataframe[0].value
    assert table["Task"].tolist() == ["planted", "planted~fresh7"]
    assert table["Leader"].tolist() == ["gradient_input"] * 2
    assert table["Leader's score"].dtype == float
    assert len(app.get("page_link")) == 2


def test_scores_on_each_task_can_be_filtered_and_the_address_keeps_the_filter(at):
    app = at()
    scores = app.dataframe[1].value
    assert set(scores["Submission"]) == {"gradient_input", "occlusion", "attention", "uniform", "random"}
    assert scores["planted"].dtype == float
    app.selectbox(key="kind").set_value("control").run()
    assert set(app.dataframe[1].value["Submission"]) == {"uniform", "random"}
    assert dict(app.query_params)["kind"] in ("control", ["control"])
    again = at(kind="control", sanity="flagged")
    assert set(again.dataframe[1].value["Submission"]) == {"uniform"}
    assert set(at(access="black box").dataframe[1].value["Submission"]) == {"occlusion"}
    assert set(at(access="white box").dataframe[1].value["Submission"]) == {"attention", "gradient_input"}


def test_what_an_address_asks_for_and_is_not_there_is_said_in_a_line(at):
    app = at(task="no_such_task")
    assert [plain(warning.value) for warning in app.warning] == [
        "Task: the address asks for no_such_task, which is not here; this is planted."
    ]
    assert not at(task="planted~fresh7").warning


def test_the_ranking_says_its_sentence_above_all_numbers_which_sort_as_numbers(at, planted_board):
    app = at("ranking", task="planted~fresh7")
    (row,) = stored(planted_board, "SELECT sentence FROM sentences WHERE task_key = 'planted~fresh7'")
    assert [plain(part.value) for part in app.success] == [row["sentence"]]
    table = app.dataframe[0].value
    for column in ("Group", "Place", "Score", "First", "fid_f@top30 ↓", "CPU s", "Failed"):
        assert pd.api.types.is_numeric_dtype(table[column]), column


def test_metrics_of_the_ranking_are_explained_in_words(at):
    said = json.loads(at("ranking").dataframe[0].proto.columns)
    help = said["fid_f@top30 ↓"]["help"]
    assert help.startswith("Loss of the judge's confidence when only the explanation's words are kept. Lower is more")
    assert "argmax" not in help


def test_the_ranking_shows_those_that_are_asked_for_and_says_where_nobody_is(at):
    app = at("ranking", kind="control")
    assert set(app.dataframe[0].value["Submission"]) <= {"Ceiling", "uniform", "random", "Truth", "Anti-oracle"}
    app.selectbox(key="kind").set_value("baseline")
    app.selectbox(key="sanity").set_value("flagged").run()
    assert "No submission is of all that is asked for." in [part.value for part in app.info]


def test_two_are_compared_by_every_metric_in_the_engines_words(at, planted_board):
    app = at("compare", a="occlusion", b="uniform")
    table = app.dataframe[0].value.set_index("Metric")
    rows = stored(planted_board, """
        SELECT * FROM pairs WHERE task_key = 'planted' AND entrant = 'occlusion' AND against = 'uniform'
    """)  # fmt: skip
    words = {"better": "▲ occlusion is better", "worse": "▼ uniform is better", "equivalent": "= equivalent"}
    by_metric = {name.split(" ")[0]: verdict for name, verdict in table["Verdict"].items()}
    for row in rows:
        assert by_metric[row["metric"]] == words.get(row["verdict"], row["verdict"])
    assert table.loc["score", "Verdict"] == "▲ occlusion is better"
    assert "By the score occlusion is better than uniform" in plain(app.success[0].value)


def test_the_two_stand_in_the_address_and_each_differing_item_leads_to_listen(at):
    app = at("compare")
    assert app.selectbox(key="a").value == "gradient_input"
    app.selectbox(key="a").set_value("uniform").run()
    assert not app.exception
    assert dict(app.query_params)["a"] in ("uniform", ["uniform"])
    links = [link.proto for link in app.get("page_link")]
    assert links
    assert all("item=test-" in link.query_string and "a=uniform" in link.query_string for link in links)


def test_the_same_two_cannot_be_picked(at):
    app = at("compare", a="random", b="random")
    assert app.selectbox(key="a").value == "random"
    assert app.selectbox(key="b").value != "random"


def test_numbers_to_download_are_those_of_the_database(at, planted_board, monkeypatch):
    at("ranking")
    import ranking_table
    import reading

    frame = ranking_table.numbers(
        reading.ranking("planted"), reading.metrics("planted"), reading.results("planted")
    ).set_index("entrant")
    ranks = stored(planted_board, "SELECT * FROM ranks WHERE task_key = 'planted'")
    for row in ranks:
        assert frame.loc[row["entrant"], "score"] == row["score"]
        assert frame.loc[row["entrant"], "rank"] == row["rank"]
    for row in stored(planted_board, "SELECT * FROM results WHERE task_key = 'planted' AND mean IS NOT NULL"):
        assert frame.loc[row["entrant"], f"{row['metric']} mean"] == row["mean"]


def test_a_submission_says_its_parameters_in_words_and_one_command_makes_it_again(at):
    app = at("submission", entrant="occlusion")
    assert [code.value for code in app.code if code.value.startswith("earwitness run")] == [
        "earwitness run --task planted --submission occlusion"
    ]


def test_values_of_cards_are_words():
    from earwitness.board.cells import in_words

    assert in_words({"layers": None, "keep": [True, 3]}) == "layers: not set; keep: yes, 3"


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "occlusion", "integrated_gradients"]), st.floats(0.001, 1e4), st.floats(-1, 1)),
        min_size=1, max_size=14,
    )
)  # fmt: skip
def test_no_name_lies_over_another(points):
    import sys

    sys.path.insert(0, str(LEADERBOARD))
    try:
        from label_places import HIGH, LETTER, LINE, WIDE, label_places
    finally:
        sys.path.remove(str(LEADERBOARD))
    from math import log10

    frame = label_places(pd.DataFrame(points, columns=["entrant", "cost", "score"]))
    costs = frame["cost"].map(log10)
    xs = WIDE * (costs - costs.min()) / max(costs.max() - costs.min(), 1e-9)
    ys = HIGH * (frame["score"].max() - frame["at"]) / max(frame["score"].max() - frame["score"].min(), 1e-9)
    boxes = []
    for x, y, side, name in zip(xs, ys, frame["side"], frame["entrant"], strict=True):
        start = x if side == "left" else x - LETTER * len(name)
        boxes.append((start, start + LETTER * len(name), y))
    for one, other in itertools.combinations(boxes, 2):
        across = min(one[1], other[1]) - max(one[0], other[0])
        assert across <= 1e-6 or abs(one[2] - other[2]) >= LINE - 1e-6
