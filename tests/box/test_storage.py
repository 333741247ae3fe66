"""Folders that a submission wrote to: however deep, and whatever links they hold."""

import os
from pathlib import Path

import pytest

from earwitness.box.storage import DEEPEST, empty, overfull, remove


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder with more folders in one another than Python calls functions."""
    home, folder = os.getcwd(), tmp_path / "deep"
    folder.mkdir()
    try:
        os.chdir(folder)
        for _ in range(1500):
            os.mkdir("deeper")
            os.chdir("deeper")
    finally:
        os.chdir(home)
    return folder


def test_what_is_too_deep_to_be_seen_is_told_and_taken_away(deep: Path) -> None:
    assert overfull([deep], 1 << 30, 10**6) == f"keeps folders more than {DEEPEST} deep"
    remove(deep)
    assert not deep.exists()


def test_bytes_and_files_count_together_over_all_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "file").write_bytes(bytes(1 << 20))
    places = [tmp_path / "a", tmp_path / "b"]
    assert overfull(places, 3 << 20, 10) == ""
    assert overfull(places, 1 << 20, 10) == "keeps more than 1 MiB in files"
    assert overfull(places, 3 << 20, 3) == "keeps more than 3 files"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(bytes(1 << 20))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "kept" / "file").symlink_to(tmp_path / "outside" / "file")
    assert overfull([tmp_path / "kept"], 1 << 16, 10) == ""
    empty(tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
    assert (tmp_path / "outside" / "file").exists()
