from pathlib import Path

import pytest

from earwitness.datasets import Stretch
from earwitness.datasets.time_marks import read_ctm
from earwitness.errors import EarwitnessError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "all.ctm"


def test_words_come_by_utterance_in_the_order_of_their_lines(path: Path) -> None:
    path.write_text(
        ";; utterance channel start duration word\n\na-1 1 0.12 0.34 HE\nb-1\tA\t.5 1e-1 go -6.763\r\n"
        "a-1 1 0.46 0.2 hoped 0.99 lex NA\n"
    )
    assert read_ctm(path) == {
        "a-1": [Stretch("HE", 0.12, 0.46), Stretch("hoped", 0.46, 0.66)],
        "b-1": [Stretch("go", 0.5, 0.6)],
    }


@pytest.mark.parametrize(
    "line", ["a 1 0.1", "a 1 0.1 0.2", "a 1 * * <ALT_BEGIN>", "a 1 0,1 0.2 go", "a 1 nan 0.2 go", "a 1 0.1 inf go"]
)
def test_a_line_that_is_none_costs_its_utterance_alone(path: Path, line: str) -> None:
    path.write_text(f"a 1 0.0 0.1 he\n{line}\nb 1 0.0 0.1 go\na 1 0.5 0.1 go\n")
    found = read_ctm(path)
    assert found["b"] == [Stretch("go", 0.0, 0.1)]
    assert found["a"] == (
        f"{path}, line 2: an utterance, a channel, a start and a duration in seconds and a word were expected; found "
        f"{line!r}; align it again"
    )


def test_two_channels_of_an_utterance_are_told_of(path: Path) -> None:
    path.write_text("a A 0.0 0.1 he\na B 0.0 0.1 yes\n")
    assert read_ctm(path) == {"a": f"{path}, line 2: channel 'B', and the lines before are of 'A'; keep one of them"}


def test_a_file_that_cannot_be_read_is_said(path: Path) -> None:
    path.write_bytes(b"a 1 0.0 0.1 caf\xe9\n")
    with pytest.raises(EarwitnessError) as caught:
        read_ctm(path)
    assert str(caught.value) == f"{path}, line 1: not UTF-8 (byte 0xe9); save it as UTF-8"
