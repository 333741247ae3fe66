"""Instruments that a prompt names, as people write them."""

import pytest

from earwitness.datasets.instruments import instruments

KNOWN = (
    *("bass", "bassoon", "brass", "choir", "clarinet", "drums", "flute", "guitar", "piano", "saxophone", "strings"),
    "synthesizer",
)


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


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("bass drum", [(1, "drums")]),
        ("bass-drums", [(0, "drums")]),
        ("Bass clarinet, bass", [(1, "clarinet"), (2, "bass")]),
        ("bass flutes", [(1, "flute")]),
        ("bass sax", [(1, "saxophone")]),
        ("bass, drums", [(0, "bass"), (1, "drums")]),
        ("bass/drums", [(0, "bass"), (0, "drums")]),
        ("bass and drums", [(0, "bass"), (2, "drums")]),
        ("guitar strings", [(0, "guitar")]),
        ("a guitar’s strings", [(1, "guitar")]),
        ("piano-strings", [(0, "piano")]),
        ("bass guitar strings", [(0, "bass")]),
        ("guitar, strings", [(0, "guitar"), (1, "strings")]),
        ("guitar and strings", [(0, "guitar"), (2, "strings")]),
        ("a string quartet", [(1, "strings")]),
        ("a string bass and a 12-string guitar", [(2, "bass"), (6, "guitar")]),
        ("synth bass", [(1, "bass")]),
        ("bass synthesiser", [(0, "bass")]),
        ("bass synths", [(0, "bass")]),
        ("double bass", [(1, "bass")]),
        ("a sax, saxes, a saxophone", [(1, "saxophone"), (2, "saxophone"), (4, "saxophone")]),
        ("synths", [(0, "synthesizer")]),
        ("synthesisers", [(0, "synthesizer")]),
        ("bassguitar, bassguitars", [(0, "bass"), (1, "bass")]),
        ("bass\u00adguitar", [(0, "bass")]),
        ("pi\u00adano gui\u2060tar", [(0, "piano"), (1, "guitar")]),
        ("piano\u200bguitar", [(0, "piano"), (0, "guitar")]),
        ("bassoon", [(0, "bassoon")]),
        ("synthetic", []),
    ],
)
def test_of_a_compound_the_word_that_tells_the_instrument_counts(words: str, names: list[tuple[int, str]]) -> None:
    assert instruments(words, KNOWN) == names


def test_a_bass_drum_is_no_bass_where_no_drums_are_known() -> None:
    assert instruments("a bass drum", ("bass",)) == []


def test_a_short_word_that_is_known_itself_stays() -> None:
    assert instruments("a sax and a synth", ("sax", "saxophone", "synth")) == [(1, "sax"), (4, "synth")]
