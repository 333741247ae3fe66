from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from earwitness import board
from earwitness.stats.intervals import Resampling
from manifests import listed
from synthetic import Plan, item_ids, write_run

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
SIZES = [-2.0, -1.0, 0.0, 1.0, 2.0]
ITEM = {
    "kind": "continuous",
    "factors": {"pitch": "MIDI number", "loudness": "dB", "*sharp*": ""},
    "clips": [60, 4],
    "correlated": [],
    "estimated": [],
}
FACTORS = list(ITEM["factors"])


def feature(number: int, tells: float) -> dict[str, Any]:
    return {
        "feature": number,
        "active": 0.25,
        "means": [0.0, 1.0, 2.0, 3.0],
        "tells": {"pitch": tells, "loudness": -0.4, "*sharp*": None},
        "binned": {name: [{"low": 0.0, "high": 4.0, "mean": 1.5, "clips": 4}] for name in FACTORS},
        "top": [{"clip": clip, "mean": float(clip), "factors": dict.fromkeys(FACTORS, 61.0)} for clip in (3, 2)],
    }


def steered(own: str) -> dict[str, Any]:
    moved = {name: ([-1.0, -0.5, 0.0, 0.5, None] if name == own else [0.0] * 5) for name in ("pitch", "loudness")}
    return {
        "k": 0,
        "sounds": [f"{own} {size:+g}" for size in SIZES],
        "measured": {name: [40.0 + 4 * (value or 0) for value in values] for name, values in moved.items()},
        "moved": moved,
    }


FOUND: dict[str, Any] = {
    "clips": {name: [60.0, 61.0, 62.0, 63.0] for name in FACTORS},
    "best": {"pitch": 17, "loudness": 5, "*sharp*": 17},
    "width": 1384,
    "features": [feature(17, 0.873), feature(5, 0.1), feature(9, 0.2)],
    "steering": {
        "clip": 12,
        "sizes": SIZES,
        "factors": {"pitch": steered("pitch"), "loudness": {"reason": "no feature has a pattern of this factor"}},
    },
}
TRACE = {
    "x": {"label": "step", "values": [1, 2, 3]},
    "lines": {"told by the features": [1.0, 0.5, 0.0], "heard in the sound": [1.0, None, 0.0]},
}
SCRIPT = """
from views import concept

FIELDS = {fields!r}
{body}
"""
DRAW = "concept.choose(FIELDS)\nconcept.draw(FIELDS, {}, {}, None)"


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The view, beside a board with one submission's files."""
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board-0.duckdb"))
    monkeypatch.setattr("reading.board_file", lambda: tmp_path / "board-0.duckdb")
    (tmp_path / "features.json").write_text(json.dumps(FOUND))
    (tmp_path / "trace.json").write_text(json.dumps(TRACE))
    soundfile.write(tmp_path / "a.flac", np.zeros(800), 8000)
    from views import concept

    return concept


EXHIBITS = {
    ("features", ""): "features.json",
    ("clip", "3"): "a.flac",
    ("clip", "2"): "a.flac",
    **{("steered", f"pitch {size:+g}"): "a.flac" for size in SIZES},
}


def shown(view: ModuleType, body: str = DRAW, asked: dict[str, str] | None = None, **fields: object) -> AppTest:
    """The item as the view draws it, at an address with what is asked."""
    told = {**ITEM, "exhibits": EXHIBITS, **fields}
    app = AppTest.from_string(SCRIPT.format(fields=told, body=body), default_timeout=60)
    for name, value in (asked or {}).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    assert sys.modules[view.__name__] is view
    return app


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def titles(app: AppTest) -> list[str]:
    """Title of the horizontal axis of each chart."""
    found = []
    for chart in charts(app):
        layer = chart.get("layer", [chart])[0]
        found.append(layer["encoding"]["x"].get("title"))
    return found


def test_the_title_says_which_latents_and_what_moves_together(view: ModuleType) -> None:
    assert view.title(ITEM) == "Continuous latents, 60 training clips"
    moved = {**ITEM, "correlated": ["loudness", "brightness"]}
    assert view.title(moved).endswith("; loudness and brightness move together in them")
    assert view.title({}) == ""


def test_the_study_is_told_in_words(view: ModuleType) -> None:
    app = shown(view, correlated=["pitch", "loudness"], estimated=["*sharp*"])
    assert "60 training clips" in app.caption[0].value
    assert "pitch and loudness move together" in app.caption[0].value
    assert r"Estimated from the sound, not known: \*sharp\*." in app.caption[0].value
    assert "together" not in captions(shown(view))


def test_factors_are_pills_and_the_address_holds_the_chosen_one(view: ModuleType) -> None:
    app = shown(view)
    (pills,) = app.button_group
    assert pills.options == ["pitch", "loudness", r"\*sharp\*"]
    pills.set_value("loudness").run()
    assert app.query_params["factor"] in ("loudness", ["loudness"])
    assert app.selectbox[0].value == 5
    app.button_group[0].set_value("pitch").run()
    assert "factor" not in app.query_params


def test_an_address_that_names_no_factor_shows_the_first(view: ModuleType) -> None:
    assert shown(view, asked={"factor": "size"}).session_state["factor"] == "pitch"
    assert shown(view, asked={"factor": "loudness"}).session_state["factor"] == "loudness"


def test_the_feature_that_tells_most_of_the_factor_is_shown_first(view: ModuleType) -> None:
    app = shown(view)
    (box,) = app.selectbox
    assert box.value == 17
    assert box.options == [
        "17: tells most of pitch and *sharp*",
        "5: tells most of loudness",
        "9: among those that vary most",
    ]
    said = captions(app)
    assert "Feature 17 of 1,384 is active in 25% of held-out frames" in said
    assert "pitch 87%, loudness 0% of the variance" in said
    box.set_value(9).run()
    assert "Feature 9 of 1,384" in captions(app)


def test_a_response_is_drawn_against_each_factor_in_its_unit(view: ModuleType) -> None:
    app = shown(view)
    assert titles(app)[:3] == [["pitch", "MIDI number"], ["loudness", "dB"], ["*sharp*"]]
    chosen = [chart["layer"][1]["mark"]["color"] for chart in charts(app)[:3]]
    assert chosen[0] != chosen[1] == chosen[2]


def test_top_clips_are_played_with_their_factors(view: ModuleType) -> None:
    app = shown(view)
    assert len(app.get("audio")) == 2 + 1
    assert app.get("audio")[0].proto.url.endswith(".flac")
    assert "feature 3.00: pitch 61.0, loudness 61.0" in captions(app)
    assert "before the model" in captions(app)


def test_the_slider_moves_over_the_steered_clips_with_what_is_measured(view: ModuleType) -> None:
    app = shown(view)
    (slider,) = app.select_slider
    assert slider.options == ["−2", "−1", "0: as it was", "+1", "+2"]
    assert slider.value == 1.0
    table = app.dataframe[0].value
    assert table["Factor"].tolist() == ["pitch (steered)", "loudness"]
    assert table["Unit"].tolist() == ["MIDI number", "dB"]
    assert table["Measured"].tolist() == ["42.0", "40.0"]
    assert table["Was"].tolist() == ["40.0", "40.0"]
    assert table["Moved by"].tolist() == ["0.50", "0.00"]
    slider.set_value(2.0).run()
    assert app.dataframe[0].value["Moved by"].tolist() == ["–", "0.00"], "not heard"


def test_steering_is_drawn_over_sizes_with_the_sliders_place(view: ModuleType) -> None:
    app = shown(view)
    (chart,) = [chart for chart in charts(app) if "pitch steered by" in json.dumps(chart)]
    colours = [layer["encoding"]["color"] for layer in chart["layer"] if "color" in layer.get("encoding", {})]
    assert colours[0]["scale"]["domain"] == ["pitch", "loudness"], "the steered factor first"


def test_it_is_said_through_which_features_a_clip_is_steered(view: ModuleType) -> None:
    said = [view._through(k) for k in (0, 1, 4)]
    assert said == ["all features", "the feature that tells most of it", "the 4 features that tell most of it"]


def test_a_factor_that_is_not_steered_says_why(view: ModuleType) -> None:
    assert "Not steered: no feature has a pattern of this factor." in captions(
        shown(view, asked={"factor": "loudness"})
    )


def test_an_item_without_sounds_still_shows_its_responses(view: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(json.dumps({k: v for k, v in FOUND.items() if k != "steering"}))
    app = shown(view, exhibits={("features", ""): "features.json"})
    assert len(charts(app)) == 3
    assert captions(app).count("of a task's first items only") == 2
    assert not app.get("audio")


def test_the_trace_is_drawn_where_there_is_one(view: ModuleType) -> None:
    traced = {**EXHIBITS, ("trace", "pitch"): "trace.json"}
    app = shown(view, exhibits=traced)
    assert titles(app)[-1] == "step, from noise to the end"
    assert "still has to go" in captions(app)
    assert "still has to go" not in captions(shown(view, exhibits=traced, asked={"factor": "loudness"})), (
        "none of this factor"
    )
    assert "still has to go" not in captions(shown(view))


def test_a_dictionary_that_is_never_active_is_said_to_be_so(view: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(json.dumps({**FOUND, "features": [], "best": {}}))
    assert shown(view).info[0].value == "No feature of this dictionary is ever active."


def test_an_item_that_is_not_kept_is_said_to_be_so(view: ModuleType, tmp_path: Path) -> None:
    assert captions(shown(view, exhibits={})).endswith("Nothing of this item is kept.")
    assert shown(view, factors={}, clips=None).caption[0].value == "Nothing of this item is kept."
    (tmp_path / "features.json").write_text("{")
    assert captions(shown(view)).endswith("Nothing of this item is kept.")


def test_two_explanations_share_the_factor_and_have_sliders_of_their_own(view: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps(FOUND))
    more = "OTHER = {**FIELDS, 'entrant': 'other', 'exhibits': {**FIELDS['exhibits'], ('features', ''): 'other.json'}}"
    app = shown(view, f"{more}\n{DRAW}\nconcept.draw(OTHER, {{}}, {{}}, None)")
    assert len(app.select_slider) == len(app.selectbox) == 2
    app.select_slider[0].set_value(2.0).run()
    assert [slider.value for slider in app.select_slider] == [2.0, 1.0]


def test_steering_and_feature_are_kept_in_the_address(view: ModuleType) -> None:
    app = shown(view, entrant="mine")
    app.select_slider[0].set_value(2.0).run()
    app.selectbox[0].set_value(5).run()
    asked = {name: str(*value) for name, value in app.query_params.items()}
    assert sorted(asked) == ["feature-pitch-mine", "steer-pitch-mine"]
    again = shown(view, entrant="mine", asked=asked)
    assert again.select_slider[0].value == 2.0
    assert again.selectbox[0].value == 5
    again.select_slider[0].set_value(1.0).run()
    again.selectbox[0].set_value(17).run()
    assert not again.query_params


def test_the_whole_page_reads_what_scoring_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    plan = Plan(items=1, skill={"random": 0.0})
    run = write_run(tmp_path / "runs", plan, "random")
    recipe = json.loads((run / "run.json").read_text())
    recipe["task"]["card"]["track"] = "concept"
    (run / "run.json").write_text(json.dumps(recipe))
    (item,) = item_ids(plan)
    (run / "exhibits").mkdir()
    (run / "exhibits" / "features.json").write_text(json.dumps(FOUND))
    soundfile.write(run / "exhibits" / "steered.flac", np.zeros(800), 8000)
    originals = tmp_path / "runs" / ".originals" / f"{plan.task_hash}-seed0"
    originals.mkdir(parents=True)
    described = {"items": [{"id": item, "kind": "continuous"}], "problems": [], "page": {item: ITEM}}
    save_file({f"{item}/train": np.zeros(1)}, originals / "items-0000.safetensors", {"fields": json.dumps(described)})
    soundfile.write(originals / "clip.flac", np.zeros(800), 8000)
    clip = f"../../.originals/{originals.name}/clip.flac"
    listed(
        run / "exhibits", item, ("document", "features", "", "features.json"), ("sound", "clip", "3", clip),
        ("sound", "steered", "pitch +1", "steered.flac"),
    )  # fmt: skip
    monkeypatch.setenv(
        "EARWITNESS_BOARD", str(board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=20)))
    )
    app = AppTest.from_file(str(page), default_timeout=60).run()
    app.switch_page("screens/item.py").run()
    assert not app.exception, app.exception
    assert app.title[0].value == "Continuous latents, 60 training clips"
    assert len(app.get("audio")) == 2, "one clip and one steered sound are kept"
    assert "The sound that is explained" not in captions(app)
