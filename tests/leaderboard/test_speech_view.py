import base64
import io
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from PIL import Image
from streamlit.testing.v1 import AppTest

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
FIELDS = {
    "text": "turn lamping",
    "pieces": ["▁turn", "▁lamp", "ing"],
    "frame_rate": 10.0,
    "marks": {"words": [["turn", 0.0, 0.4], ["lamping", 0.5, 1.0]], "phonemes": [["t", 0.0, 0.1]]},
}
SCRIPT = """
import numpy as np
import streamlit as st
from views import speech

FIELDS = {fields!r}
features = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
given = {{"features": features, "words": np.array([0, 1, 1])}}
maps = np.random.default_rng(1).random((3, 10, 4))
answered = {{"spectrogram": maps, "prefix": np.tril(np.full((3, 3), 0.5), -1)}}
{body}
"""


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    from views import speech

    return speech


def page(view: ModuleType, body: str, token: str | None = None, **fields: object) -> AppTest:
    app = AppTest.from_string(SCRIPT.format(fields=FIELDS | fields, body=body), default_timeout=60)
    if token is not None:
        app.query_params["token"] = token
    app.run()
    assert not app.exception, app.exception
    assert sys.modules[view.__name__] is view
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


DRAW = "speech.choose(FIELDS)\nspeech.draw(FIELDS, given, answered, 1.0)"


def test_the_title_is_the_transcript(view: ModuleType) -> None:
    assert view.title(FIELDS) == "turn lamping"


def test_the_picture_is_the_spectrogram_in_grey_with_the_map_in_colour(view: ModuleType) -> None:
    features = np.tile(np.linspace(-1, 1, 101)[:, None], (1, 2))
    weights = np.zeros_like(features)
    weights[100, 1] = 0.2
    grey, inked = view.blend(features, None), view.blend(features, weights)
    assert grey.shape == (2, 101, 3)
    assert np.ptp(grey, axis=2).max() == 0
    assert (grey[0, 0, 0], grey[0, 50, 0], grey[0, 100, 0]) == (24, 130, 236)
    changed = (grey != inked).any(axis=2)
    assert changed.sum() == 1
    assert changed[0, 100], "a high bin stands at the top"
    assert inked[0, 100].tolist() == [round(0.35 * 236 + 0.65 * ink) for ink in view.INK]


def test_cells_below_the_median_are_left_grey_unless_it_is_the_largest_weight(view: ModuleType) -> None:
    grey = view.blend(np.ones((5, 1)), None)
    signed = view.blend(np.ones((5, 1)), np.array([[0.0], [0.4], [0.5], [0.6], [1.0]]))
    assert (signed != grey).any(axis=2)[0].tolist() == [False, False, False, True, True]
    filled = view.blend(np.ones((5, 1)), np.array([[0.0], [0.0], [1.0], [1.0], [1.0]]))
    assert (filled != grey).any(axis=2)[0].tolist() == [False, False, True, True, True]


def test_a_map_of_equal_weights_and_a_spectrogram_of_equal_cells_are_drawn(view: ModuleType) -> None:
    assert np.array_equal(view.blend(np.ones((5, 3)), np.full((5, 3), 0.7)), view.blend(np.ones((5, 3)), None))


def test_tokens_are_pills_and_the_chosen_ones_map_is_drawn(view: ModuleType) -> None:
    app = page(view, DRAW)
    (pills,) = app.button_group
    assert pills.options == ["turn", "lamp", "ing"]
    first = re.search(r'src="([^"]*)"', html(app))
    pills.set_value(1).run()
    second = re.search(r'src="([^"]*)"', html(app))
    assert first
    assert second
    assert pixels(first[1]).shape == (4, 10, 3)
    assert not np.array_equal(pixels(first[1]), pixels(second[1]))
    assert app.query_params["token"] == "1"


def test_the_address_holds_the_token_and_nothing_for_the_first(view: ModuleType) -> None:
    app = page(view, DRAW, token="2")
    assert app.session_state["token"] == 2
    app.button_group[0].set_value(0).run()
    assert "token" not in app.query_params


@pytest.mark.parametrize("token", ["3", "-1", "x"])
def test_an_address_that_names_no_token_shows_the_first(view: ModuleType, token: str) -> None:
    assert page(view, DRAW, token=token).session_state["token"] == 0


def test_two_explanations_share_one_choice(view: ModuleType) -> None:
    app = page(view, f"{DRAW}\nspeech.draw(FIELDS, given, answered, 1.0)", token="1")
    one, other = re.findall(r'src="([^"]*)"', html(app))
    assert one == other
    first = re.findall(r'src="([^"]*)"', html(page(view, DRAW)))
    assert first != [one]


def test_the_reference_stands_above_the_tokens_as_plain_text(view: ModuleType) -> None:
    assert page(view, DRAW, reference="turn *lamp*").caption[0].value == r"Reference: turn \*lamp\*"
    assert not page(view, DRAW).caption


def test_an_item_with_fewer_tokens_starts_at_its_first(view: ModuleType) -> None:
    app = page(view, DRAW, token="2", pieces=["▁turn", "▁lamp"])
    assert app.session_state["token"] == 0


def test_earlier_tokens_lie_on_their_weights_and_later_ones_are_faint(view: ModuleType) -> None:
    text = view._context(FIELDS["pieces"], np.array([0, 1, 1]), 1, np.array([0.25, 0.0, 0.0]))
    assert re.sub(r"<[^>]*>", "", text) == "turn lamping"
    kinds = re.findall(r'<span class="(\w+)"', text)
    assert kinds == ["earlier", "chosen", "later"]
    assert re.findall(r"rgba\(255, 126, 20, ([0-9.]+)\)", text) == ["0.250"]


def test_marks_stand_at_their_times(view: ModuleType) -> None:
    text = html(page(view, DRAW))
    assert 'left: 50.00%; width: 50.00%" title="lamping 0.50–1.00 s"' in text
    assert 'title="t 0.00–0.10 s"' in text
    assert re.findall(r'<i style="left: ([\d.]+)%">', text) == ["0.00", "40.00", "50.00", "100.00"]
    assert ">1 s<" in text


def test_without_marks_or_times_the_axis_counts_frames(view: ModuleType) -> None:
    app = page(view, "speech.draw(FIELDS, given, answered, None)", marks=None, frame_rate=None)
    assert 'class="marks' not in html(app)
    assert ">10 frames<" in html(app)


def test_an_item_without_an_explanation_shows_its_spectrogram(view: ModuleType) -> None:
    for answered in ({}, {"spectrogram": np.zeros((2, 10, 4)), "prefix": np.zeros((2, 2))}):
        kept = {name: array.shape for name, array in answered.items()}
        body = f"kept = {kept!r}\nspeech.draw(FIELDS, given, {{n: np.zeros(s) for n, s in kept.items()}}, 1.0)"
        app = page(view, body)
        assert app.caption[0].value == "No explanation is kept for this item."
        assert html(app).count("<img") == 1


def test_an_item_that_is_not_kept_is_said_to_be_so(view: ModuleType) -> None:
    assert page(view, "speech.draw(FIELDS, {}, answered, 1.0)").caption[0].value == "Nothing of this item is kept."
    assert page(view, DRAW, pieces=[]).caption[0].value == "Nothing of this item is kept."


def test_a_curve_has_a_point_at_each_share(view: ModuleType) -> None:
    found = {"x": {"label": "cells", "values": [0, 50, 100]}, "lines": {"wer": [0.0, 0.5, None], "bleu": [1, 1, 1]}}
    points = view.points(found)
    assert points["curve"].tolist() == ["bleu"] * 3 + ["wer"] * 3
    assert points["share"].tolist() == [0, 50, 100] * 2


def test_distances_have_a_chart_of_their_own(view: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reading.board_file", lambda: tmp_path / "board-0.duckdb")
    curve = {"x": {"label": "cells", "values": [0, 100]}, "lines": {"x": [0.0, 1.0]}}
    (tmp_path / "a.json").write_text(json.dumps(curve))
    (tmp_path / "short.json").write_text(json.dumps({**curve, "lines": {"x": [0.0]}}))
    (tmp_path / "list.json").write_text("[]")

    def charts(**paths: str) -> int:
        exhibits = {(label, ""): path for label, path in paths.items()}
        return len(page(view, DRAW, exhibits=exhibits).get("vega_lite_chart"))

    assert charts(curves="a.json", distances="a.json") == 2
    assert charts(curves="a.json") == 1
    assert charts(curves="gone.json", distances="short.json") == charts(curves="list.json") == 0


def test_a_transcript_cannot_inject_markup(view: ModuleType) -> None:
    bad = "<script>alert(1)</script>"
    pieces, marks = [bad, "*a*", ":red[b]"], {"words": [[bad, 0.0, 0.4]], "phonemes": []}
    app = page(view, DRAW, pieces=pieces, marks=marks)
    assert "<script" not in html(app)
    assert app.button_group[0].options[1] == r"\*a\*"
    assert app.button_group[0].options[2] == r"\:red\[b\]"


REMOVAL = {
    "tie_seed": 7,
    "hz": [100.0, 400.0, 1000.0, 3000.0],
    "shares": [0.0, 0.1, 0.25, 1.0],
    "transcripts": {"mean": ["turn lamping", "turn", "burn", ""]},
}


@pytest.fixture
def kept(view: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Exhibits of an utterance of one second that are there."""
    monkeypatch.setattr("reading.board_file", lambda: tmp_path / "board-0.duckdb")
    wave = np.random.default_rng(3).normal(scale=0.1, size=8000)
    soundfile.write(tmp_path / "original.flac", wave, 8000)
    (tmp_path / "removal.json").write_text(json.dumps(REMOVAL))
    return {("original", ""): "original.flac", ("removal", ""): "removal.json"}


def waves(app: AppTest) -> list[np.ndarray]:
    """Sounds of the player."""
    addresses = re.findall(r'<audio [^>]*src="data:audio/[a-z]+;base64,([^"]+)"', html(app))
    return [soundfile.read(io.BytesIO(base64.b64decode(address)))[0] for address in addresses]


def test_the_sound_without_the_highest_cells_and_these_alone_can_be_heard(
    view: ModuleType, kept: dict[tuple[str, str], str]
) -> None:
    app = page(view, DRAW, exhibits=kept)
    captions = "\n".join(caption.value for caption in app.caption)
    assert "Filled by the utterance's mean of each mel bin, the model hears “turn”; of the whole sound" in captions
    assert "Resynthesised" in captions
    whole, left, alone = waves(app)
    assert len(whole) == len(left) == len(alone) == 8000
    np.testing.assert_allclose(left + alone, whole, atol=1e-3)
    maps = np.random.default_rng(1).random((3, 10, 4)).mean(0)
    gone = view.ranks(maps, 7) < 4
    np.testing.assert_allclose(left, view.without(whole, 8000, gone, 10.0, np.array(REMOVAL["hz"])), atol=1e-3)
    assert ">3 kHz<" in html(app)
    assert ">100 Hz<" in html(app)


def test_the_share_is_kept_in_the_address(view: ModuleType, kept: dict[tuple[str, str], str]) -> None:
    app = AppTest.from_string(SCRIPT.format(fields=FIELDS | {"exhibits": kept, "entrant": "mine"}, body=DRAW))
    app.query_params["removed-mine"] = "0.25"
    app.run()
    assert app.select_slider[0].value == 0.25
    assert any("hears “burn”" in caption.value for caption in app.caption)
    app.select_slider[0].set_value(0.1).run()
    assert "removed-mine" not in app.query_params
    assert any("hears “turn”" in caption.value for caption in app.caption)


def test_without_the_recording_transcripts_alone_are_shown_and_without_both_nothing(
    view: ModuleType, kept: dict[tuple[str, str], str]
) -> None:
    app = page(view, DRAW, exhibits={("removal", ""): kept["removal", ""]})
    assert not waves(app)
    assert any("hears “turn”" in caption.value for caption in app.caption)
    app = page(view, DRAW, exhibits={("original", ""): kept["original", ""]})
    assert not app.select_slider
    assert ">mel<" in html(app)
