"""Manifests: what is listed, in which order, and what an exhibit that cannot be made leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.exhibits.manifest import Exhibit, ExhibitKind, leave, write
from earwitness.exhibits.writing import Curve, ItemExhibits
from manifests import manifest

WAVE = np.zeros(800, dtype=np.float32)


def exhibit(label: str, part: str = "") -> Exhibit:
    return Exhibit("a", ExhibitKind.SOUND, label, f"a.{label}-{part}.ogg", part)


def test_exhibits_are_listed_by_label_and_part_whatever_the_order(tmp_path: Path) -> None:
    some = [exhibit("steered", f"pitch {size:+d}") for size in (1, -2, 0)] + [exhibit("clip", n) for n in ("10", "9")]
    write(tmp_path, "a", some)
    first = (tmp_path / "a.exhibits.json").read_bytes()
    write(tmp_path, "a", [*reversed(some), some[0]])
    assert (tmp_path / "a.exhibits.json").read_bytes() == first
    assert [(each["label"], each["part"]) for each in manifest(tmp_path, "a")["exhibits"]] == [
        ("clip", "9"), ("clip", "10"), ("steered", "pitch -2"), ("steered", "pitch +0"), ("steered", "pitch +1")
    ]  # fmt: skip


def test_files_are_named_by_item_label_and_part(tmp_path: Path) -> None:
    place = ItemExhibits(tmp_path, "a/1")
    found = [
        place.sound("stem", WAVE, 8000, "hö/rn"),
        place.picture("map", np.zeros((2, 3, 3), dtype=np.uint8)),
        place.curve("trace", Curve("step", [1], {"x": [np.nan]})),
        place.document("features", {"a": 1}),
    ]
    assert [each.path for each in found] == [
        "a%2F1.stem-h%C3%B6%2Frn.ogg", "a%2F1.map.png", "a%2F1.trace.json", "a%2F1.features.json"
    ]  # fmt: skip
    assert all((tmp_path / each.path).is_file() for each in found)
    assert json.loads((tmp_path / "a%2F1.trace.json").read_text())["lines"] == {"x": [None]}


def test_what_raises_leaves_its_reason_and_nothing_else(tmp_path: Path) -> None:
    def failing() -> Iterator[Exhibit]:
        yield ItemExhibits(tmp_path, "a").sound("kept", WAVE, 8000)
        raise InvalidItemError("no\nsound")

    leave(tmp_path, "a", failing)
    assert manifest(tmp_path, "a") == {"item": "a", "problem": "no sound", "exhibits": []}


@pytest.mark.parametrize("label", ["sound", "document"])
def test_what_is_no_finite_number_is_not_written(tmp_path: Path, label: str) -> None:
    place = ItemExhibits(tmp_path, "a")
    with pytest.raises(ValueError, match=r"finite|JSON"):
        place.sound("x", WAVE + np.inf, 8000) if label == "sound" else place.document("x", {"a": np.nan})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError("no space"), EarwitnessError("cannot write"), KeyboardInterrupt()])
def test_what_is_no_exhibits_fault_is_raised(tmp_path: Path, error: BaseException) -> None:
    def failing() -> list[Exhibit]:
        raise error

    with pytest.raises(type(error)):
        leave(tmp_path, "a", failing)
    assert not list(tmp_path.iterdir())
