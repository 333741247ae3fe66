"""Instruments that a prompt names, as people write them."""

import pytest

from earwitness.datasets.instruments import instruments

KNOWN = ("bass", "brass", "choir", "drums", "flute", "guitar", "piano", "strings")


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("piano", "piano"),
        ("Piano,", "piano"),
        ("piano…", "piano"),
        ("“piano”", "piano"),
        ("¿piano?", "piano"),
        ("piano’s", "piano"),
        ("(PIANO)", "piano"),
        ("ｐｉａｎｏ", "piano"),
        ("pianos", "piano"),
        ("Guitars,", "guitar"),
        ("guitars—", "guitar"),
        ("guitar2", "guitar"),
        ("basses", "bass"),
        ("drum", "drums"),
        ("drums", "drums"),
        ("string", "strings"),
        ("brass", "brass"),
        ("bass-guitar", "bass"),
        ("bass‑guitars", "bass"),
        ("drums/bass", "drums bass"),
        ("piano+flute&choir", "piano flute choir"),
        ("pianist", ""),
        ("bas", ""),
        ("s", ""),
        ("—", ""),
        ("embrass", ""),
    ],
)
def test_a_word_names_what_a_person_reads_in_it(word: str, names: str) -> None:
    assert instruments(f"a {word}", KNOWN) == [(1, name) for name in names.split()]


def test_words_are_counted_as_white_space_parts_them() -> None:
    found = instruments("Two  guitars,\tdrums/bass and\u2028a kazoo; guitar", KNOWN)
    assert found == [(1, "guitar"), (2, "drums"), (2, "bass"), (6, "guitar")]


def test_a_word_that_is_known_itself_goes_before_its_singular() -> None:
    assert instruments("drums drum", ("drum", "drums")) == [(0, "drums"), (1, "drum")]


def test_a_bass_guitar_is_a_bass_and_a_bass_beside_a_guitar_is_both() -> None:
    assert instruments("a bass guitar, a guitar", KNOWN) == [(1, "bass"), (4, "guitar")]
    assert instruments("Bass, guitar and bass-guitars", KNOWN) == [(0, "bass"), (1, "guitar"), (3, "bass")]
    assert instruments("bass/guitar", KNOWN) == [(0, "bass"), (0, "guitar")]
