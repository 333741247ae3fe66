"""Files are whole or not there, and one that must be the first is left alone."""

import errno
import os
from pathlib import Path

import pytest

from earwitness.errors import EarwitnessError
from earwitness.results.writing import moved_into_place


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        with moved_into_place(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(EarwitnessError, match=r"file: No space left on device; make room"):
        half(tmp_path / "new" / "file")
    assert list((tmp_path / "new").iterdir()) == []


def test_another_error_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), moved_into_place(tmp_path / "file"):
        _ = 1 / 0
    with pytest.raises(EarwitnessError), moved_into_place(tmp_path / "file", ZeroDivisionError):
        _ = 1 / 0


def test_a_file_that_is_there_is_left_alone_where_it_must_be_the_first(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in ("first", "second"):
        with moved_into_place(path, exclusive=True) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_holds_one_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", unsupported)
    test_a_file_that_is_there_is_left_alone_where_it_must_be_the_first(tmp_path)
