"""The page of one input: what it says, what it shows, and that nothing on it is fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from earwitness.board.items import ORIGINALS, RUN_EXHIBITS
from earwitness.errors import EarwitnessError
from earwitness.exhibits.manifest import ORIGINAL, write
from earwitness.exhibits.writing import Curve, ItemExhibits
from earwitness.explained.page import NO_VERDICT, InputPage, write_page
from earwitness.explained.values import FloorDraws, InputValues, MetricValues

BAD = '<script>alert("1")</script>'
WAVE, RATE = np.zeros(800, dtype=np.float32), 8000
PIXELS = np.zeros((4, 6, 3), dtype=np.uint8)
HASH = "aaaabbbbccccdddd"


def metric(id: str, headline: bool, mine: float | None, noise: float | None = None) -> MetricValues:
    floor = FloorDraws((0.5, 0.7, 0.6))
    return MetricValues(id, "lower", headline, f"Says {BAD}.", {"mine": mine, "broken": None}, floor, noise)


@pytest.fixture
def page(tmp_path: Path) -> InputPage:
    runs = tmp_path / "runs"
    original = ItemExhibits(runs / ORIGINALS / f"{HASH}-seed0", "own")
    write(original.folder, "own", [original.sound(ORIGINAL, WAVE, RATE)])
    place = ItemExhibits(runs / "mine" / RUN_EXHIBITS, "own")
    curve = Curve("cells removed, %", [0, 50, 100], {BAD: [1.0, 0.5, 0.0]})
    shown = [place.sound("kept", WAVE, RATE), place.sound("removed", WAVE, RATE), place.picture("map", PIXELS)]
    write(place.folder, "own", [*shown, place.curve("curves", curve)])
    values = InputValues(
        ("mine", "broken"),
        (metric("fid_f@top30", True, 0.25, 0.1), metric("size", False, -0.0001)),
        {f"no truth {BAD}": ("word_ap@class",)},
        {"broken": f"ValueError: {BAD}"},
    )
    folders = {"mine": runs / "mine", "broken": runs / "broken"}
    return InputPage("A title", "task", "a model", f"rain {BAD}", "own", HASH, runs, folders, values, [f"Note {BAD}"])


def test_the_page_says_what_is_measured_and_gives_no_verdict(page: InputPage, tmp_path: Path) -> None:
    text = write_page(page, tmp_path / "out").read_text(encoding="utf-8")
    assert NO_VERDICT in text
    assert not re.search(r"\b(better|worse|outperforms?|survives?|as good as)\b", text)
    assert '<td class="number">0.250</td>' in text
    assert "0.600 <small>0.500 to 0.700</small>" in text
    assert "The card's other metrics (1)" in text
    assert "-0.000" not in text
    assert "word_ap@class (no truth " in text
    assert "No explanation that could be scored: ValueError: " in text
    assert 'aria-label="fid_f@top30: mine 0.250, random 0.500 to 0.700"' in text


def test_what_others_wrote_is_text_and_nothing_is_fetched(page: InputPage, tmp_path: Path) -> None:
    index = write_page(page, tmp_path / "out")
    text = index.read_text(encoding="utf-8")
    assert "<script" not in text
    addresses = [unquote(found) for found in re.findall(r'(?:src|href)="([^"]*)"', text)]
    assert len(addresses) == 4
    assert all((index.parent / address).is_file() for address in addresses)
    assert not re.findall(r"https?:|url\(|@import", text)
    assert text.count("<audio") == 3
    assert text.count("<polyline") == 1


def test_a_place_that_cannot_be_written_is_one_line(page: InputPage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EarwitnessError, match="cannot"):
        write_page(page, tmp_path / "file")
