from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata
from streamlit.testing.v1 import AppTest

from earwitness import board, registry
from earwitness.results.held_out import marked
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, made_elsewhere, write_run, write_task

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


@pytest.fixture
def app(planted_board: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("EARWITNESS_BOARD", str(planted_board))
    return started(page, monkeypatch)


def started(page: Path, monkeypatch: pytest.MonkeyPatch, screen: str = "ranking", **address: str) -> AppTest:
    monkeypatch.syspath_prepend(str(page.parent))
    app = AppTest.from_file(str(page), default_timeout=120)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return opened(app, screen) if screen else app


def opened(app: AppTest, name: str) -> AppTest:
    app.switch_page(f"screens/{name}.py").run()
    assert not app.exception, app.exception
    return app


def text(app: AppTest) -> str:
    parts = [*app.title, *app.header, *app.caption, *app.markdown, *app.info, *app.error, *app.warning, *app.success]
    return "\n".join(str(part.value) for part in parts)


def test_the_ranking_page_lists_entrants_best_first_below_the_ceiling(app):
    table = app.dataframe[0].value
    assert table["Submission"].tolist()[:4] == ["Ceiling", "gradient_input", "occlusion", "attention"]
    assert table["Place"].tolist()[1:4] == [1, 2, 3]
    assert "5 submissions" in text(app)


def test_the_table_changes_between_calibrated_and_raw_values(app):
    calibrated = app.dataframe[0].value.set_index("Submission").loc["Ceiling", "fid_f@top30 ↓"]
    app.segmented_control(key="scale").set_value("raw").run()
    raw = app.dataframe[0].value.set_index("Submission").loc["Ceiling", "fid_f@top30 ↓"]
    assert calibrated == 1.0
    assert 0.0 < raw < 1.0
    app.toggle(key="intervals").set_value(True).run()
    ends = app.dataframe[0].value.set_index("Submission").loc["occlusion"]
    assert ends["fid_f@top30 ↓ low"] < ends["fid_f@top30 ↓"] < ends["fid_f@top30 ↓ high"]


def test_the_anti_oracle_stands_below_random_on_the_calibrated_scale(app):
    shown = app.dataframe[0].value.set_index("Submission")
    assert shown.loc["Anti-oracle", "fid_f@top30 ↓"] < 0
    assert shown.loc["random", "fid_f@top30 ↓"] == 0


def test_an_uninformative_metric_is_shown_as_such(app):
    app.selectbox(key="metric").set_value("kl_f@top30").run()
    assert not app.exception
    assert "Uninformative on this task" in text(app)


def test_the_ranking_page_shows_ranks_under_changes_and_which_items_failed(app):
    assert "Ranks under a change" in text(app)
    frames = [frame.value for frame in app.dataframe]
    assert any(any("τ" in column for column in frame.columns) for frame in frames)
    failed = next(frame for frame in frames if "Reason" in frame.columns)
    assert failed[["Submission", "Item"]].values.tolist() == [["attention", "test-0003"]]


def test_the_ranking_page_says_who_beats_the_chosen_control(app):
    box = app.selectbox(key="control")
    assert set(box.options) == {"random", "uniform"}
    for control in (box.value, ({"random", "uniform"} - {box.value}).pop()):
        app.selectbox(key="control").set_value(control).run()
        (table,) = [
            d.value
            for d in app.dataframe
            if {"attention", "random", "uniform"} - set(d.value.get("Submission", [])) == {control}
        ]
        gains = table.set_index("Submission")["kl_cf@top30"]
        better = sorted(name for name, gain in gains.items() if gain.endswith("▲"))
        assert {"gradient_input", "occlusion"} <= set(better)
        assert not {"random", "uniform"} & set(better)
        assert f"**kl_cf@top30**: better than {control}: {', '.join(better)}." in text(app)
        assert "[" in gains["gradient_input"]


def test_the_ranking_page_shows_what_makes_the_score_and_places_without_each_metric(app):
    assert "% of the score's variance between entrants" in text(app)
    shares = next(frame.value for frame in app.dataframe if "Share" in frame.value.columns)
    assert shares["Metric"].tolist() == ["fid_f@top30 ↓", "fid_cf@top30 ↑", "kl_cf@top30 ↑"]
    assert shares["Share"].sum() == pytest.approx(1, abs=0.02)
    left = next(frame.value for frame in app.dataframe if "without fid_f@top30" in frame.value.columns)
    assert left["Submission"].tolist()[0] == "gradient_input"
    assert left["without fid_f@top30"].tolist()[0] == "1"


def test_every_number_leads_to_its_runs_and_recipes(app):
    runs = next(frame.value for frame in app.dataframe if "Fingerprint" in frame.value.columns)
    assert len(runs) == 5
    assert runs["Rows"].gt(0).all()
    assert app.selectbox(key="recipe").value in set(runs["Run"])


def test_another_task_is_picked_for_all_pages(app):
    app.selectbox(key="task").set_value("planted~fresh7").run()
    assert not app.exception
    assert "Ceilings are those of the task's own items" in text(app)


def test_the_item_page_compares_two_explanations_and_says_which_failed(app):
    opened(app, "item")
    assert "a loud bark then a quiet siren far away" in text(app)
    assert app.selectbox(key="b").value == "random"
    app.selectbox(key="a").set_value("attention")
    app.selectbox(key="item").set_value("test-0003").run()
    assert not app.exception
    assert "the explainer raised ValueError: planted" in text(app)


def test_the_item_page_lists_values_beside_floor_and_ceiling(app):
    opened(app, "item")
    table = app.dataframe[0].value
    assert table["Metric"].tolist() == ["fid_f@top30 ↓", "fid_cf@top30 ↑", "kl_f@top30 ↓", "kl_cf@top30 ↑"]
    assert {"gradient_input", "random", "random, all items", "ceiling, all items"} <= set(table.columns)


def test_no_text_of_the_code_is_drawn():
    for path in [LEADERBOARD / "app.py", *(LEADERBOARD / "screens").glob("*.py")]:
        _, *body = ast.parse(path.read_text(encoding="utf-8")).body
        drawn = [node for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
        assert not drawn, f"{path.name}: Streamlit draws a text that stands alone"


def test_next_walks_through_the_items(app):
    opened(app, "item")
    order = list(app.selectbox(key="item").options)
    before = app.selectbox(key="item").value
    next(button for button in app.button if button.label == "→").click().run()
    after = next(place for place, option in enumerate(order) if option.startswith(app.selectbox(key="item").value))
    assert order[after - 1].startswith(before)
    assert not app.exception


def test_the_item_that_is_shown_first_is_one_with_sounds_where_some_have_none(app, monkeypatch):
    import typical

    rows = {"mine": [{"item": "c"}, {"item": "b"}], "other": []}
    monkeypatch.setattr(typical, "query", lambda sql, key, entrant: rows[entrant])
    assert typical.heard("task", "mine", ["a", "b", "c"]) == ["b", "c"]
    assert typical.heard("task", "other", ["a", "b", "c"]) == ["a", "b", "c"]


def test_a_typical_item_is_shown_first_and_where_the_leader_fails_is_at_hand(app, planted_board):
    opened(app, "item")
    connection = board.connect(planted_board)
    rows = board.records(connection, "SELECT * FROM item_values JOIN metrics USING (task_key, metric) WHERE headline")
    (record, *_) = board.records(connection, "SELECT * FROM tasks ORDER BY task_key")
    connection.close()
    key, main, leader = record["task_key"], record["main_metric"], app.selectbox(key="a").value
    sign = {"higher": 1, "lower": -1}
    mine = [row for row in rows if row["task_key"] == key and row["entrant"] in (leader, record["floor"])]
    places = defaultdict(list)
    for metric in {row["metric"] for row in mine}:
        own = {
            r["item"]: sign[r["direction"]] * r["value"]
            for r in mine
            if r["metric"] == metric and r["entrant"] == leader
        }
        for item, rank in zip(own, rankdata(list(own.values())), strict=True):
            places[item].append(abs((rank - 0.5) / len(own) - 0.5))
    least = min(np.mean(each) for each in places.values())
    assert np.mean(places[app.selectbox(key="item").value]) == pytest.approx(least)
    values = {(r["entrant"], r["item"]): sign[r["direction"]] * r["value"] for r in mine if r["metric"] == main}
    gaps = {item: values[leader, item] - values[record["floor"], item] for _, item in values}
    failing = sorted((item for item in gaps if gaps[item] < 0), key=lambda item: gaps[item])
    at_hand = [button for button in app.button if (button.key or "").startswith("fails ")]
    assert [button.label for button in at_hand] == failing[:5]
    assert f"its {main} is below that of {record['floor']}" in text(app) or f"its {main} below that of" in text(app)
    if at_hand:
        at_hand[0].click().run()
        assert app.selectbox(key="item").value == failing[0]


def test_the_task_page_shows_card_certificate_and_ends(app):
    opened(app, "task")
    shown = text(app)
    for part in ("Planted effects", "Floors and ceilings", "Certificate", "A page for people."):
        assert part in shown
    roles = next(frame.value for frame in app.dataframe if "certified" in frame.value.columns)
    assert roles["certified"].tolist() == ["yes", "no"]
    assert roles["cost_nats"].tolist() == ["9.7 [6.9, 20.5], 12 items", "–"]
    ends = next(frame.value for frame in app.dataframe if "Anti-oracle" in frame.value.columns)
    informative = dict(zip(ends["Metric"], ends["Informative"], strict=True))
    assert (informative["fid_f@top30 ↓"], informative["kl_f@top30 ↓"]) == ("yes", "no")


def test_the_submission_page_shows_its_results_on_every_task(app):
    opened(app, "submission")
    app.selectbox(key="entrant").set_value("occlusion").run()
    assert not app.exception
    assert app.dataframe[0].value["Task"].tolist() == ["planted", "planted~fresh7"]


def test_the_submission_page_says_what_speaks_against_an_entrant(app):
    opened(app, "submission")
    app.selectbox(key="entrant").set_value("uniform").run()
    assert not app.exception
    assert [str(each.value).replace("\\", "") for each in app.warning] == [
        "They do not change when the parameters of 4 of 4 layers are drawn anew: no drop was found"
    ]
    checks = app.dataframe[1].value
    assert checks["When"].tolist()[0] == "another explainer seed is drawn"
    assert checks["Agreement"].tolist() == ["1.00", "1.00", "–"]
    assert checks["Entropy"].tolist() == ["0.50", "0.70", "–"]
    assert checks[""].tolist() == ["", "", "the prompt has one word"]
    app.selectbox(key="entrant").set_value("occlusion").run()
    assert not app.warning


def test_an_entrant_that_ran_some_items_alone_is_shown_without_a_rank(tmp_path, page, monkeypatch):
    plan = Plan(items=12, changes=True)
    task = write_task(tmp_path / "registry", plan)
    plan = replace(plan, task_hash=read_task(task).hash)
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: tmp_path / "registry" if kind == "tasks" else home(kind))
    for submission in plan.skill:
        write_run(tmp_path / "runs", replace(plan, items=5) if submission == "occlusion" else plan, submission)
    board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=50))
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board"))
    app = started(page, monkeypatch)
    shown = app.dataframe[0].value.set_index("Submission")
    assert shown.loc["occlusion", "Ranks"] == "5 of 12 items run"
    assert shown.loc["gradient_input", "Place"] == 1
    assert "Without a rank: occlusion: 5 of 12 items run." in text(app)
    survived = next(frame.value for frame in app.dataframe if "Headline" in frame.value.columns)
    assert "occlusion" not in survived["Submission"].tolist()
    opened(app, "submission")


def test_win_rates_over_two_tasks_are_shown_and_a_task_without_audit_is_ranked_raw(tmp_path, page, monkeypatch):
    registered = tmp_path / "registry"
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: registered if kind == "tasks" else home(kind))
    for plan in (Plan(items=12), Plan(items=12, task="second", audited=False, skill={"random": 0.0, "occlusion": 0.7})):
        task_hash = read_task(write_task(registered, plan)).hash
        for submission in plan.skill:
            write_run(tmp_path / "runs", replace(plan, task_hash=task_hash), submission)
    board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=50))
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board"))
    app = started(page, monkeypatch, "")
    assert "Across tasks" in text(app)
    assert "on their own items: planted, second." in text(app)
    fewer = next(frame.value for frame in app.dataframe if "Win rate" in frame.value.columns)
    assert fewer[["Submission", "Tasks"]].values.tolist()[0] == ["gradient_input", "1 of 2"]
    opened(app, "ranking").selectbox(key="task").set_value("second").run()
    assert not app.exception
    assert "ranked raw, by fid_cf@top30 alone" in text(app)
    assert "It is not audited on this task, so it is not calibrated." in text(app)
    table = app.dataframe[0].value
    assert table["Place"].tolist()[1:3] == [1, 2]
    assert table["Score"].isna().all()
    opened(app, "task")
    ends = next(frame.value for frame in app.dataframe if "Anti-oracle" in frame.value.columns)
    assert set(ends["Informative"]) == {"not audited", "–"}


def test_public_and_held_out_items_stand_side_by_side_and_no_held_out_item_is_shown(tmp_path, page, monkeypatch):
    registered, home = tmp_path / "registry", registry.home
    monkeypatch.setattr(registry, "home", lambda kind: registered if kind == "tasks" else home(kind))
    plan = Plan(items=12, skill={"random": 0.0, "occlusion": 0.9})
    plan = replace(plan, task_hash=read_task(write_task(registered, plan)).hash)
    hidden = replace(plan, task_hash=marked(plan.task_hash, "0123456789abcdef"), skill={**plan.skill, "occlusion": 0.0})
    for some in (plan, hidden):
        for submission in some.skill:
            write_run(tmp_path / "runs", some, submission)
    board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=50))
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board"))
    app = started(page, monkeypatch)
    assert "Held-out items" in text(app)
    assert "adjusted (max-T) over 4 comparisons" in text(app)
    table = next(frame.value for frame in app.dataframe if "Gain, held out" in frame.value.columns)
    assert table["Submission"].tolist() == ["occlusion !"] * 4
    assert set(table["Verdict"]) == {"more faithful on public items"}
    app.selectbox(key="task").set_value("planted~held012345").run()
    assert not app.exception
    assert "Held-out items" not in text(app)
    assert "The items are their owner's alone" in text(app)
    for name in ("item", "task", "submission"):
        opened(app, name)
    assert "The board holds no items of this task." in text(opened(app, "item"))


def test_without_a_board_the_page_says_how_to_make_one(tmp_path, page, monkeypatch):
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path))
    app = started(page, monkeypatch, "")
    assert app.title[0].value == "No board yet"
    assert "earwitness board" in app.code[0].value


def test_the_map_is_a_picture_whose_opacity_is_the_weight(monkeypatch):
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    import base64
    import io

    from PIL import Image
    from views import prompt

    url = prompt._picture(np.array([[0.0, 1.0], [0.5, 0.0], [1.0, 0.2]]))
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    assert picture.shape == (2, 3, 4)
    assert picture[..., 3].tolist() == [[0, 128, 255], [255, 0, 51]]
    assert "views" in sys.modules


def test_pieces_of_a_word_are_written_together(monkeypatch):
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    from views import prompt

    html = prompt._words(["▁bark", "ing", "▁dog", "</s>"], np.array([False, False, False, True]), np.ones(4))
    assert re.sub(r"<[^>]*>", "", html) == " barking dog"
    assert "</s>" not in html
    assert prompt._pieces(["a", "dog"]) == [("a", True), ("dog", True)]


def test_a_prompt_cannot_inject_markup(monkeypatch):
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    from views import prompt

    tokens = ["<script>alert(1)</script>"]
    special, weights = np.array([False]), np.ones((3, 1))
    assert "<script>" not in prompt._words(tokens, special, weights[0]) + prompt._map(tokens, special, weights, 2.0)


def test_explanations_that_were_made_elsewhere_are_marked_and_can_be_shown_alone(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(skill={"occlusion": 0.7, "attention": 0.4, "random": 0.0}, items=8)
    runs = {name: write_run(tmp_path / "runs", plan, name) for name in plan.skill}
    made_elsewhere(runs["attention"])
    board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=100))
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board"))
    app = started(page, monkeypatch)
    assert {"attention ‡", "occlusion", "random"} <= set(app.dataframe[0].value["Submission"])
    assert "what they cost is unverified" in text(app)
    app.segmented_control(key="only").set_value("explanations").run()
    assert not app.exception
    assert not {"occlusion", "random"} & set(app.dataframe[0].value["Submission"])
    assert "1 of 3 submissions are shown" in text(app)
    for screen, picker in (("item", "a"), ("submission", "entrant")):
        opened(app, screen)
        app.selectbox(key=picker).set_value("attention").run()
        assert not app.exception
