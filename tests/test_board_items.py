import json
from pathlib import Path

from earwitness.board.item_tables import _sounds
from earwitness.board.items import file_name, listened


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_a_runs_sounds_of_words_are_found_by_what_they_are_and_word(tmp_path: Path) -> None:
    item = "a*/1"
    start = file_name(item)
    touch(tmp_path / "listen", f"{start}.kept.ogg", f"{start}.deleted-bass.ogg", f"{start}.deleted-h%C3%B6rn.ogg")
    touch(tmp_path / "listen", f"{start}2.deleted-bass.ogg", "ab%2F1.deleted-organ.ogg", f"{start}.other-bass.ogg")
    found = listened(tmp_path, [item])[item]
    assert {kind: path.name for kind, path in found.items()} == {
        "kept": f"{start}.kept.ogg",
        "deleted-bass": f"{start}.deleted-bass.ogg",
        "deleted-hörn": f"{start}.deleted-h%C3%B6rn.ogg",
    }


def test_an_item_without_sounds_has_none(tmp_path: Path) -> None:
    assert listened(tmp_path, ["x"]).get("x", {}) == {}


def test_paths_of_sounds_are_kept_relative_to_the_board(tmp_path: Path) -> None:
    assert json.loads(_sounds({"mix": tmp_path / "runs" / "x.mix.ogg"}, tmp_path / "board")) == {
        "mix": "../runs/x.mix.ogg"
    }
