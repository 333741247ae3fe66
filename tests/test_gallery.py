"""The exported page shows the exhibits of every track, and knows none."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from earwitness import board
from earwitness.board.line_chart import line_chart
from earwitness.exhibits.manifest import Exhibit, write
from earwitness.exhibits.writing import Curve, ItemExhibits
from earwitness.stats.intervals import Resampling
from synthetic import Plan, item_ids, write_originals, write_run

WAVE, RATE = np.zeros(800, dtype=np.float32), 8000
PIXELS = np.zeros((4, 6, 3), dtype=np.uint8)
CURVE = Curve("step", [1, 2, 3], {"<b>told": [1.0, float("nan"), 0.0]}, "still to go")
BAD = "<script>alert(1)</script>"


def of_tracks(place: ItemExhibits) -> list[Exhibit]:
    """What explanations of all four tracks leave."""
    return [
        place.sound("kept", WAVE, RATE),
        place.sound("removed", WAVE, RATE),
        place.sound("deleted", WAVE, RATE, BAD),
        *(place.sound("steered", WAVE, RATE, f"pitch {size:+d}", "flac") for size in range(-3, 4)),
        place.picture("map", PIXELS, "../../bass & drum"),
        place.curve("trace", CURVE, "pitch"),
        place.document("features", {"a": 1}),
    ]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a board of one task; of its first item's exhibits one file is gone, the second's manifest is broken."""
    folder = tmp_path_factory.mktemp("gallery")
    plan = Plan(items=14, skill={"random": 0.0}, sounds=True)
    run = write_run(folder / "runs", plan, "random")
    write_originals(folder / "runs", plan)
    first, second, *_ = item_ids(plan)
    place = ItemExhibits(run / "exhibits", first)
    write(place.folder, first, of_tracks(place))
    (run / "exhibits" / f"{second}.exhibits.json").write_text("{")
    board.build(folder / "runs", folder / "board", Resampling(draws=20))
    (run / "exhibits" / f"{first}.kept.ogg").unlink()
    return folder


@pytest.fixture(scope="module")
def page(planted: Path) -> str:
    return board.export(planted / "board", planted / "page").read_text(encoding="utf-8")


def sources(page: str, tag: str) -> list[str]:
    return re.findall(rf'<{tag} [^>]*src="([^"]*)"', page)


def test_sounds_pictures_and_curves_of_every_track_are_shown_and_lie_beside_the_page(planted: Path, page: str) -> None:
    first = page.partition('<section class="item">')[2].partition("</section>")[0]
    assert len(sources(first, "audio")) == 1 + 1 + 1 + 7, "original, removed, deleted, steered"
    assert len(sources(first, "img")) == 1
    for address in sources(page, "audio") + sources(page, "img"):
        assert (planted / "page" / unquote(address)).is_file()
    assert any("steered-pitch-+1" in unquote(address) for address in sources(first, "audio"))
    assert "<polyline" in first or "<circle" in first
    assert "map: ../../bass &amp; drum" in first
    assert "<summary>steered (7)</summary>" in first
    assert "features" not in first, "a document is the track's own"


def test_nothing_is_copied_to_another_folder(planted: Path, page: str) -> None:
    assert page
    assert {path.name for path in (planted / "page").iterdir()} == {"index.html", "exhibits"}


def test_a_gone_file_and_a_broken_manifest_show_nothing_and_break_nothing(page: str) -> None:
    first = page.partition('<section class="item">')[2].partition("</section>")[0]
    assert ">kept<" not in first
    assert "test-0001" not in page
    assert "test-0002" in page


def test_only_the_first_items_are_shown(page: str) -> None:
    assert page.count('<section class="item">') == 12


class Tags(HTMLParser):
    """Names of the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)


def test_texts_of_manifests_are_no_markup(page: str) -> None:
    assert not Tags(page).found & {"script", "b"}
    assert "&lt;script&gt;alert(1)" in page


def test_a_line_is_parted_where_a_value_is_not_known() -> None:
    drawn = line_chart(Curve("x", [0, 1, 2, 3, 4], {"a": [0, 1, float("nan"), 1, 0]}).document())
    assert drawn.count("<polyline") == 2
    assert ">4</text>" in drawn
    assert ">1</text>" in drawn


@pytest.mark.parametrize(
    "text",
    [
        "null", "[]", "{}", '{"x": {"label": "x", "values": [1]}, "lines": {"a": [1, 2]}}',
        '{"x": {"label": "x", "values": ["1"]}, "lines": {"a": [1]}}', '{"x": [], "lines": []}',
        '{"x": {"label": "x", "values": [1]}, "lines": {"a": [NaN]}}', '{"x": {"values": 3}, "lines": {}}',
        f'{{"x": {{"label": "x", "values": [1]}}, "lines": {{"a": [1{"0" * 400}]}}}}',
    ],
)  # fmt: skip
def test_what_is_no_curve_is_not_drawn(text: str) -> None:
    assert line_chart(json.loads(text)) == ""
