"""What the board finds of items, and that it names no exhibit of any track."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from earwitness.board.manifests import exhibits
from manifests import listed

ROOT = Path(__file__).parents[1]
LABELS = {
    *("kept", "removed", "mix", "stem", "without", "deleted", "clip", "steered", "steer"),
    *("features", "trace", "curves", "distances"),
}


def touched(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_what_a_manifest_lists_is_found_where_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "exhibits"
    touched(folder, "a.ogg", "b.ogg")
    touched(tmp_path / "shared", "c.ogg")
    entries = [("sound", "x", "1", "a.ogg"), ("sound", "x", "2", "gone.ogg"), ("sound", "y", "", "../../shared/c.ogg")]
    listed(folder, "a*/1", *entries)
    found = exhibits(folder, "a*/1", tmp_path)
    assert [(each["label"], each["part"], each["path"].name) for each in found] == [
        ("x", "1", "a.ogg"), ("y", "", "c.ogg")
    ]  # fmt: skip


def test_nothing_outside_the_runs_is_shown(tmp_path: Path) -> None:
    touched(tmp_path, "secret.txt")
    folder = tmp_path / "runs" / "run" / "exhibits"
    touched(folder)
    (folder / "link.ogg").symlink_to(tmp_path / "secret.txt")
    places = ("../../../secret.txt", str(tmp_path / "secret.txt"), "link.ogg")
    listed(folder, "a", *[("sound", "x", str(n), place) for n, place in enumerate(places)])
    assert exhibits(folder, "a", tmp_path / "runs") == []


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"exhibits": {}}', '{"exhibits": [1, null, {}]}', "[" * 100_000, b"\xff",
        '{"exhibits": [{"kind": "sound", "label": 1, "part": "", "path": "a.ogg"}]}',
        '{"exhibits": [{"kind": "smell", "label": "x", "part": "", "path": "a.ogg"}]}',
        '{"exhibits": [{"kind": "sound", "label": "x", "part": "", "path": "a\\u0000.ogg"}]}',
        json.dumps({"exhibits": [{"kind": "sound", "label": "x", "part": "", "path": "a" * 10_000}]}),
    ],
)  # fmt: skip
def test_a_manifest_that_is_broken_shows_nothing(tmp_path: Path, text: str | bytes) -> None:
    touched(tmp_path, "a.ogg")
    (tmp_path / "a.exhibits.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert exhibits(tmp_path, "a", tmp_path) == []


def test_without_a_manifest_nothing_is_shown(tmp_path: Path) -> None:
    touched(tmp_path, "a.kept.ogg")
    assert exhibits(tmp_path, "a", tmp_path) == exhibits(tmp_path / "gone", "a", tmp_path) == []


def test_neither_board_nor_screens_name_an_exhibit_of_a_track() -> None:
    folders = (ROOT / "benchmark" / "earwitness" / "board", ROOT / "leaderboard" / "screens")
    files = [path for folder in folders for path in folder.glob("*.py")]
    files += [ROOT / "leaderboard" / name for name in ("reading.py", "sounds.py", "app.py")]
    for path in files:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        widgets = {id(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg == "key"}
        texts = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in widgets]
        assert not {str(node.value) for node in texts} & LABELS, path
