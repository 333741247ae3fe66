from dataclasses import replace

import pytest

from earwitness.datasets import SpeechTruth, Stretch
from earwitness.datasets.alignment import check

TRUTH = SpeechTruth(
    words=(Stretch("turn", 0.1, 0.4), Stretch("on", 0.4, 0.7)),
    phonemes=((Stretch("t", 0.1, 0.2), Stretch("n", 0.2, 0.4)), (Stretch("o", 0.4, 0.7),)),
    source_of=(0, 1),
    distinct=((0,), ()),
)


def words(*times: tuple[float, float]) -> SpeechTruth:
    return SpeechTruth(tuple(Stretch("go", *time) for time in times), phonemes=(), source_of=(0,))


def test_stretches_that_follow_each_other_are_an_alignment() -> None:
    assert check(TRUTH, 0.7) == ""
    assert check(words((0.0, 0.2), (0.5, 0.6)), 1.0) == ""


def test_stretches_may_overlap_and_overhang_by_a_millisecond() -> None:
    assert check(words((0.1, 0.4), (0.3995, 0.7)), 0.6995) == ""
    assert "overlaps" in check(words((0.1, 0.4), (0.3985, 0.7)), 1.0)
    assert "ends after the audio of 0.698 s" in check(words((0.1, 0.7)), 0.698)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([(0.1, 0.4), (0.3, 0.5)], "word 2 'go' (0.300-0.500 s) overlaps 'go', which stops at 0.400 s"),
        ([(0.5, 0.6), (0.1, 0.2)], "word 2 'go' (0.100-0.200 s) overlaps"),
        ([(0.1, 1.4)], "word 1 'go' (0.100-1.400 s) ends after the audio of 1.000 s"),
        ([(0.4, 0.1)], "does not stop after it starts"),
        ([(0.4, 0.4)], "does not stop after it starts"),
        ([(-0.1, 0.4)], "starts before the audio"),
        ([(0.1, float("nan"))], "has no finite start and stop"),
        ([], "words are none"),
    ],
)
def test_impossible_times_are_one_line(times: list[tuple[float, float]], says: str) -> None:
    said = check(words(*times), 1.0)
    assert says in said
    assert said.startswith("the alignment's ")
    assert said.endswith("; align it again")
    assert "\n" not in said


def test_phonemes_are_checked_across_words() -> None:
    phonemes = (TRUTH.phonemes[0], (Stretch("o", 0.35, 0.7),))
    assert "phoneme 3 'o' (0.350-0.700 s) overlaps 'n'" in check(replace(TRUTH, phonemes=phonemes), 0.7)
    late = (TRUTH.phonemes[0], (Stretch("o", 0.4, 0.8),))
    assert "phoneme 3 'o' (0.400-0.800 s) ends after" in check(replace(TRUTH, phonemes=late), 0.7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"phonemes": TRUTH.phonemes[:1]}, "phonemes are of 1 words, and its words are 2"),
        ({"source_of": (0, 2)}, "order of words names the spoken word 2, and its words are 0 to 1"),
        ({"distinct": ((0,),)}, "telling phonemes are of 1 words, and its words are 2"),
        ({"distinct": ((2,), ())}, "word 1 is told by its phoneme 2, and has 2"),
        ({"phonemes": ()}, "word 1 is told by its phoneme 0, and has 0"),
    ],
)
def test_parts_that_do_not_match_in_number_are_one_line(change: dict[str, object], says: str) -> None:
    assert says in check(replace(TRUTH, **change), 0.7)
