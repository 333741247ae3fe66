import base64
import io
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
SHAPE = (8, 10)
TRUTH = np.zeros(SHAPE, dtype=bool)
TRUTH[1:4, 2:6] = True


def packed(mask: np.ndarray) -> str:
    return base64.b64encode(np.packbits(mask)).decode()


FIELDS = {
    "prompt": "a bass and a flute",
    "instruments": ["bass", "flute"],
    "frame_rate": 5.0,
    "has_frequency": True,
    "truth": {"bass": packed(TRUTH), "flute": packed(~TRUTH)},
    "density": {"bass": 0.15, "flute": 0.85},
    "swap": {"bass": base64.b64encode(np.arange(80, dtype=np.uint8)).decode()},
}
SCRIPT = """
import numpy as np
import streamlit as st
from views import band

FIELDS = {fields!r}
mel = np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)
named = np.array([[0, 1, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=bool)
given = {{"mel": mel, "named": named, "start": mel}}
answered = {{"maps": np.random.default_rng(1).random((5, 8, 10))}}
{body}
"""
DRAW = "band.choose(FIELDS)\nband.draw(FIELDS, given, answered, 2.0)"


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(LEADERBOARD))
    from views import band

    return band


def page(view: ModuleType, body: str = DRAW, word: str | None = None, **fields: object) -> AppTest:
    app = AppTest.from_string(SCRIPT.format(fields=FIELDS | fields, body=body), default_timeout=60)
    if word is not None:
        app.query_params["word"] = word
    app.run()
    assert not app.exception, app.exception
    assert sys.modules[view.__name__] is view
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def pictures(app: AppTest) -> list[np.ndarray]:
    urls = re.findall(r'src="([^"]*)"', html(app))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))) for url in urls]


def test_the_title_is_the_prompt(view: ModuleType) -> None:
    assert view.title(FIELDS) == "a bass and a flute"


def test_the_outline_runs_inside_the_mask_with_low_bins_at_the_bottom(view: ModuleType) -> None:
    mask = np.zeros((4, 300), dtype=bool)
    mask[0, 100:102] = True
    drawn = view.outlined(np.zeros((4, 300, 3), dtype=np.uint8), mask)
    assert drawn.shape == (12, 900, 3)
    rows, columns = np.nonzero((drawn == view.EDGE).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 11, 300, 305)
    assert len(rows) == 3 * 6 - 1 * 4, "all but the core"


def test_a_picture_without_a_mask_is_only_enlarged(view: ModuleType) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(view.outlined(pixels, None)[:: view.MOST, :: view.MOST], pixels)


def test_masks_and_differences_are_read_as_they_were_packed(view: ModuleType) -> None:
    assert np.array_equal(view.unpacked_mask(packed(TRUTH), SHAPE), TRUTH)
    odd = np.arange(15).reshape(3, 5) % 2 == 0
    assert np.array_equal(view.unpacked_mask(packed(odd), (3, 5)), odd)
    swap = view.unpacked_swap(FIELDS["swap"]["bass"], SHAPE)
    assert swap[0, 1] == pytest.approx(1 / 255)


@pytest.mark.parametrize("text", ["", "AAA", "ÄÄÄÄ", "AAAA"])
def test_what_was_packed_otherwise_is_not_drawn(view: ModuleType, text: str) -> None:
    assert view.unpacked_mask(text, SHAPE) is None
    assert view.unpacked_swap(text, SHAPE) is None


def test_instruments_are_pills_and_the_chosen_ones_map_is_drawn(view: ModuleType) -> None:
    app = page(view)
    (pills,) = app.button_group
    assert pills.options == ["bass", "flute"]
    first = pictures(app)[0]
    pills.set_value(1).run()
    assert not np.array_equal(first, pictures(app)[0])
    assert app.query_params["word"] == "1"
    pills.set_value(0).run()
    assert "word" not in app.query_params


def test_a_words_map_is_the_sum_over_its_tokens(view: ModuleType) -> None:
    alone = "answered['maps'] = np.concatenate([maps[:1], maps[1:3].sum(0, keepdims=True), 0 * maps[1:2], maps[3:]])"
    moved = page(view, f"maps = answered['maps']\n{alone}\n{DRAW}")
    assert np.array_equal(pictures(moved)[0], pictures(page(view))[0])


@pytest.mark.parametrize("word", ["2", "-1", "x"])
def test_an_address_that_names_no_word_shows_the_first(view: ModuleType, word: str) -> None:
    assert page(view, word=word).session_state["word"] == 0


def test_two_explanations_share_one_choice(view: ModuleType) -> None:
    app = page(view, f"{DRAW}\nband.draw(FIELDS, given, answered, 2.0)", word="1")
    one, other = pictures(app)
    assert np.array_equal(one, other)


def test_the_truth_is_outlined_over_the_map_and_said_how_large(view: ModuleType) -> None:
    app = page(view)
    edge = (pictures(app)[0] == view.EDGE).all(axis=2)
    rows, columns = np.nonzero(edge)
    times = view.MOST
    assert (rows.min() // times, rows.max() // times) == (4, 6), "bins 1 to 3 of 8, low ones at the bottom"
    assert (columns.min() // times, columns.max() // times) == (2, 5)
    assert "where the stem sounds, 15% of all cells" in html(app)


def test_a_sound_from_noise_alone_has_no_truth(view: ModuleType) -> None:
    app = page(view, f"given['start'] = np.zeros((0, 0))\n{DRAW}")
    assert not (pictures(app)[0] == view.EDGE).all(axis=2).any()
    assert "where the stem sounds" not in html(app)


def test_the_difference_of_the_pair_is_a_picture_of_its_own(view: ModuleType) -> None:
    app = page(view)
    assert len(pictures(app)) == 2
    assert "What changes where the word bass is taken out" in app.caption[0].value
    assert len(pictures(page(view, word="1"))) == 1, "none is kept for flute"


def test_without_a_frequency_axis_maps_are_the_same_in_every_bin(view: ModuleType) -> None:
    weights = np.random.default_rng(2).random(SHAPE)
    flat = view.spread(weights, True)
    assert flat.shape == SHAPE
    assert np.allclose(flat, weights.mean(0))
    assert view.spread(weights, False) is weights
    assert not np.array_equal(pictures(page(view, has_frequency=False))[0], pictures(page(view))[0])


def test_the_axis_counts_seconds_or_frames(view: ModuleType) -> None:
    assert ">2 s<" in html(page(view))
    body = "band.draw(FIELDS, given, answered, None)"
    assert ">10 frames<" in html(page(view, body, frame_rate=None))
    assert "<span>8</span><span>mel</span><span>1</span>" in html(page(view))
    heard = [100.0 * 2**octave for octave in range(8)]
    assert "<span>13 kHz</span><span>1.6 kHz</span><span>100 Hz</span>" in html(page(view, hz=heard))


def test_an_item_without_an_explanation_shows_its_sound_and_its_truth(view: ModuleType) -> None:
    for answered in ("{}", "{'maps': np.zeros((4, 8, 10))}"):
        app = page(view, f"band.draw(FIELDS, given, {answered}, 2.0)", swap={})
        assert app.caption[0].value == "No explanation is kept for this item."
        assert (pictures(app)[0] == view.EDGE).all(axis=2).any()


def players(app: AppTest) -> list[list[tuple[str, bool]]]:
    """Titles of each player's sounds, and whether they can be heard."""
    found = [
        re.findall(r"<button type=\"button\" (disabled|data-sound)[^>]*>([^<]*)</button>", body)
        for body in html(app).split('class="listen"')[1:]
    ]
    return [[(title, way != "disabled") for way, title in ways] for ways in found]


def test_an_item_that_is_not_kept_is_said_to_be_so(view: ModuleType) -> None:
    assert page(view, "band.draw(FIELDS, {}, answered, 2.0)").caption[0].value == "Nothing of this item is kept."
    assert page(view, instruments=[]).caption[0].value == "Nothing of this item is kept."


def test_sounds_of_the_chosen_word_are_played(
    view: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board-0.duckdb"))
    monkeypatch.setattr("reading.board_file", lambda: tmp_path / "board-0.duckdb")
    soundfile.write(tmp_path / "a.ogg", np.zeros(800), 8000)
    some = {("original", ""): "a.ogg", ("mix", ""): "a.ogg", ("deleted", "bass"): "gone.ogg", ("x", ""): "a.ogg"}
    exhibits = some | {(label, "bass"): "a.ogg" for label in ("stem", "without")}
    app = page(view, exhibits=exhibits)
    known, taken = players(app)
    assert known == [
        (view.ORIGINAL, True),
        ("The same start and noise without the word bass", True),
        ("The stem of the clip: bass", True),
        ("The clip", True),
    ]
    assert taken == [(view.ORIGINAL, True), ("Without attention to bass where its map is highest: not kept", False)]
    (other,) = players(page(view, exhibits=exhibits, word="1"))
    assert other == [(view.ORIGINAL, True), ("The clip", True)]


def test_a_prompt_cannot_inject_markup(view: ModuleType) -> None:
    bad = "<script>alert(1)</script>"
    app = page(view, instruments=[bad, "*a*"], truth={bad: packed(TRUTH)}, density={bad: 0.1}, prompt=bad)
    assert "<script" not in html(app)
    assert app.button_group[0].options[1] == r"\*a\*"
