"""What a message says of a long text, an unknown name and a file that cannot be written."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.errors import MAX_CHARACTERS, is_blank, nearest, one_line, short, shortened, unwritten


def test_a_long_path_loses_its_middle_and_not_the_fault_behind_it() -> None:
    path = "/home/me/" + "a-folder-of-a-long-name/" * 20 + "task.toml"
    said = short(f"{path}: dataset.items: Input should be greater than 0")
    assert said.startswith("/home/me/a-folder")
    assert said.endswith("task.toml: dataset.items: Input should be greater than 0")
    assert len(said) < 150


def test_of_many_words_the_first_and_the_last_stay() -> None:
    said = short("first " + "word " * 1000 + "last")
    assert said.startswith("first word")
    assert said.endswith("word last")
    assert len(said) <= MAX_CHARACTERS


@given(st.text(max_size=1000))
def test_a_short_line_is_one_line_of_few_characters(text: str) -> None:
    said = short(text)
    assert len(said) <= MAX_CHARACTERS
    assert len(said.splitlines()) <= 1
    if len(" ".join(text.split())) <= MAX_CHARACTERS:
        assert said == " ".join(text.split())


@given(st.text(max_size=200), st.integers(5, 100))
def test_a_shortened_name_is_no_longer_than_asked(name: str, most: int) -> None:
    assert len(shortened(name, most)) <= max(most, 0)
    assert shortened(name, most) == name or "..." in shortened(name, most)


def test_equal_failures_read_equal_whatever_their_length() -> None:
    assert one_line(ValueError("x" * 400 + " at 0x7f12ab")) == one_line(ValueError("x" * 400 + " at 0x80aa"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_room_is_the_advice_where_there_is_none(code: int) -> None:
    said = os.strerror(code)
    for error in (OSError(code, said), RuntimeError(f"IO error: {said} (os error {code})")):
        assert str(unwritten("a", error)).endswith("; make room and run the same command to resume")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EIO])
def test_room_is_no_advice_elsewhere(code: int) -> None:
    said = str(unwritten("a", OSError(code, os.strerror(code)), "run again"))
    assert said == f"cannot write a: {os.strerror(code)}; mend that and run again"


def test_an_unknown_name_is_answered_with_the_nearest_or_with_those_that_there_are() -> None:
    assert nearest("stepz", {"steps", "seed"}, "known") == "did you mean 'steps'?"
    assert nearest("x" * 5000, {"steps", "seed"}, "known") == "known: seed, steps"
    assert nearest("x", [], "known") == "known: none"


@given(st.text(alphabet=" \t\u00a0\u2003\u200b\u200c\u200d\u2060\ufeff\ufe0f\u00ad\u034f\u180e\u3164\u2800"))
def test_what_cannot_be_seen_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}é{text}")
