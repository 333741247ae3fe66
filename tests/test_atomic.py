from __future__ import annotations

from pathlib import Path

import pytest

from earwitness.atomic import atomic_write


def test_a_file_appears_whole_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "rows"
    with atomic_write(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "half"
    assert list(path.parent.iterdir()) == [path]


def write_half(path: Path) -> None:
    path.write_text("half", encoding="utf-8")
    path.write_text("\ud800", encoding="utf-8")


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as temporary:
        write_half(temporary)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_write_left_behind_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with atomic_write(path) as temporary:
        stale = temporary
        stale.touch()
    stale.write_text("of a killed write", encoding="utf-8")
    with atomic_write(path) as temporary:
        assert temporary == stale
        with temporary.open("a", encoding="utf-8") as file:
            file.write("whole")
    assert path.read_text(encoding="utf-8") == "whole"


def test_a_folder_that_is_a_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError), atomic_write(tmp_path / "file" / "rows"):  # noqa: PT011
        pass
