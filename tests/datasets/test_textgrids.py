from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aligner_writers import long_textgrid, short_textgrid
from earwitness.datasets.textgrids import IntervalTier, read_textgrid
from earwitness.errors import EarwitnessError

Write = Callable[..., str]
FORMS = pytest.mark.parametrize("write", [long_textgrid, short_textgrid])
WORDS = [(0.0, 0.2, ""), (0.2, 0.5, "he"), (0.5, 0.9, "hoped"), (0.9, 1.0, "")]
PHONES = [(0.0, 0.2, ""), (0.2, 0.3, "HH"), (0.3, 0.5, "IY1"), (0.5, 1.0, "sil")]
TIERS = {"words": WORDS, "phones": PHONES}


def read(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    return {tier.name: [(each.start, each.stop, each.text) for each in tier.intervals] for tier in read_textgrid(path)}


def refused(path: Path) -> str:
    with pytest.raises(EarwitnessError) as caught:
        read_textgrid(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.TextGrid"


@FORMS
def test_both_forms_are_read(path: Path, write: Write) -> None:
    path.write_text(write(TIERS, 1.0), encoding="utf-8")
    assert read(path) == TIERS
    assert [type(tier) for tier in read_textgrid(path)] == [IntervalTier, IntervalTier]


@FORMS
@pytest.mark.parametrize("change", [("\n", "\r\n"), ("\n", "\r"), ("\n", "\n\n"), ("\n", " \t\n")])
def test_line_ends_and_white_space_change_nothing(path: Path, write: Write, change: tuple[str, str]) -> None:
    path.write_bytes(write(TIERS, 1.0).rstrip("\n").replace(*change).encode())
    assert read(path) == TIERS


LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4), LABELS), max_size=4),
    LABELS.filter(lambda name: name != "phones"),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, intervals: list[tuple[float, float, str]], name: str
) -> None:
    path = tmp_path_factory.mktemp("grids") / "a.TextGrid"
    tiers = {name: intervals, "phones": PHONES}
    for write in (long_textgrid, short_textgrid):
        path.write_bytes(write(tiers, 1e4).encode())
        assert read(path) == tiers


def test_what_is_for_people_says_nothing(path: Path) -> None:
    path.write_text(
        '"ooTextFile"\n"TextGrid" ! a "comment" of 3 words <here>\n0 seconds 1.5 <exists> 1 tier\n'
        '"IntervalTier" named "words" from 0 to 1.5 holds 2\n[7] 0 1e-05 ""\n! 8 9 "no"\n.5 +1.5 "he said ""no"""\n'
    )
    assert read(path) == {"words": [(0.0, 1e-05, ""), (0.5, 1.5, 'he said "no"')]}


def test_times_are_read_as_they_are_written(path: Path) -> None:
    odd = [(-0.1, 0.2, "he"), (0.9, 0.3, "hoped")]
    for write in (long_textgrid, short_textgrid):
        path.write_text(write({"words": odd}, 1.0))
        assert read(path) == {"words": odd}


def test_tiers_of_points_are_left_out(path: Path) -> None:
    points = '"TextTier"\n"bells"\n0\n1\n2\n0.1\n"ding"\n0.2\n"dong"\n'
    text = short_textgrid(TIERS, 1.0).replace("<exists>\n2\n", f"<exists>\n3\n{points}")
    path.write_text(text)
    assert read(path) == TIERS


def test_a_file_without_tiers_has_none(path: Path) -> None:
    path.write_text('"ooTextFile"\n"TextGrid"\n0\n1\n<absent>\n')
    assert read(path) == {}


@FORMS
def test_a_part_of_a_file_is_told_from_the_whole(path: Path, write: Write) -> None:
    text = write(TIERS, 1.0).rstrip()
    for end in range(0, len(text), 7):
        path.write_text(text[:end])
        said = refused(path)
        assert said.startswith(str(path))
        assert "cut off" in said or "no TextGrid" in said or "<exists>" in said


@FORMS
def test_an_interval_that_is_missing_is_told_of(path: Path, write: Write) -> None:
    path.write_text(write({"words": WORDS[:2]}, 1.0).replace("size = 2", "size = 3").replace("1.0\n2\n", "1.0\n3\n"))
    assert refused(path) == (
        f"{path}: cut off: the start of an interval of tier 'words' was expected, and the file ends; align it again, "
        "or save it as Praat's text file"
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("0.5\n0.9", "0.5\nsoon", "the end of an interval of tier 'words', a number, was expected; found 'hoped'"),
        ('"hoped"', "hoped", "the label of an interval of tier 'words', a text, was expected; found '0.9'"),
        ('"IntervalTier"', '"Words"', "an IntervalTier or a TextTier was expected; found 'Words'"),
        ("1.0\n4\n", "1.0\n4.5\n", "the number of intervals of tier 'words' was expected; found '4.5'"),
        ("1.0\n4\n", f"1.0\n{'9' * 5000}\n", "the number of intervals of tier 'words' was expected; found '999"),
        ("<exists>", "", "<exists>, a flag, was expected; found '2'"),
        ('"hoped"', '"hoped', "cut off: no quote closes the one that opens here"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(path: Path, before: str, after: str, says: str) -> None:
    path.write_text(short_textgrid(TIERS, 1.0).replace(before, after, 1))
    said = refused(path)
    assert said.startswith(f"{path}, line ")
    assert says in said


@pytest.mark.parametrize(
    "content", ["", "words", '"TextGrid"', "<html></html>", '{"tiers": {}}', '"ooTextFile" "Sound"']
)
def test_what_is_no_textgrid_is_said(path: Path, content: str) -> None:
    path.write_text(content)
    assert refused(path).startswith(f'{path}: no TextGrid, which begins with File type = "ooTextFile"')


def test_other_encodings_are_said(path: Path) -> None:
    text = long_textgrid({"words": [(0.0, 1.0, "café")]}, 1.0)
    path.write_bytes(text.encode("utf-16"))
    assert refused(path) == f"{path}: UTF-16 or UTF-32, not UTF-8; save it as UTF-8"
    path.write_bytes(text.encode("latin-1"))
    assert refused(path) == f"{path}, line 18: not UTF-8 (byte 0xe9); save it as UTF-8"
    path.unlink()
    assert refused(path) == f"{path}: no such file; align it again"
