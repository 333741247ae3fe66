"""Each track's arrays as files: what is expected of an item is what an explanation of it is stored as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from earwitness import tracks
from earwitness.errors import EarwitnessError
from earwitness.scoring import outside
from earwitness.scoring.outside import ExpectedArray
from earwitness.tracks.band import BandItem, BandMap
from earwitness.tracks.concept import ConceptItem, Dictionaries, Dictionary
from earwitness.tracks.prompt import PromptItem, TokenMap
from earwitness.tracks.speech import SpeechItem, SpeechMap

TOKENS = ("a", "bell", "</s>")
WORDS = np.array([0, 1, -1])
PROMPT = PromptItem("i", "a bell", 1, 2, np.zeros((2, 5), np.int64), TOKENS, WORDS < 0)
SPEECH = SpeechItem("i", 1, "a bell", TOKENS[:2], np.zeros((6, 4), np.float32), WORDS[:2], WORDS[:2])
GRID = np.zeros((4, 6), np.float32)
BAND = BandItem("i", "a bell", 1, 2, 0.5, TOKENS, ("bell",), WORDS, WORDS[None] == 1, GRID, GRID, GRID[None])
CONCEPT = ConceptItem("i", "continuous", 25.0, (7, 8), np.zeros((2, 3, 4), np.float32))
DICTIONARY = Dictionary(np.ones((4, 9)), np.ones(9), np.ones((9, 4)), np.ones(4))
EXPLAINED: dict[str, tuple[Any, list[Any]]] = {
    "prompt": (PROMPT, [TokenMap(np.ones((5, 3))), TokenMap(np.ones(3)), TokenMap(np.ones((5, 3)), np.ones((5, 3)))]),
    "speech": (SPEECH, [SpeechMap(np.ones((2, 6, 4)), np.zeros((2, 2)))]),
    "band": (BAND, [BandMap(np.ones((3, 4, 6)))]),
    "concept": (CONCEPT, [Dictionaries((DICTIONARY, DICTIONARY))]),
}


@pytest.mark.parametrize("track", tracks.names())
def test_what_is_expected_is_what_an_explanation_is_stored_as(track: str) -> None:
    item, explanations = EXPLAINED[track]
    expected = {array.name: array for array in outside.of_track(track).expected(item)}
    for explanation in explanations:
        explanation.check(item)
        stored = explanation.arrays()
        assert {name for name, array in expected.items() if not array.optional} <= set(stored) <= set(expected)
        for name, array in stored.items():
            assert expected[name].dtype == array.dtype
            assert expected[name].fits(array.shape)


@pytest.mark.parametrize("track", tracks.names())
def test_zeros_of_the_plainest_shapes_are_an_explanation(track: str) -> None:
    item, _ = EXPLAINED[track]
    blank = {
        array.name: np.zeros([1 if size is None else size for size in array.shapes[0]], array.dtype)
        for array in outside.of_track(track).expected(item)
        if not array.optional
    }
    tracks.load(track).explanation.build(blank).check(item)


@pytest.mark.parametrize(
    ("shape", "fits"), [((2, 3), True), ((2, 7), True), ((3,), True), ((2, 0), False), ((3, 3), False), ((), False)]
)
def test_a_shape_fits_one_of_those_that_are_known(shape: tuple[int, ...], fits: bool) -> None:
    assert ExpectedArray("x", ((2, None), (3,)), "").fits(shape) == fits


def test_a_track_that_says_nothing_takes_no_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    track = tracks.Track(**{**vars(tracks.load("prompt")), "name": "other", "scoring": "earwitness.exhibits"})
    monkeypatch.setattr(tracks, "load", lambda _: track)
    with pytest.raises(EarwitnessError, match="other takes no explanations that were made elsewhere"):
        outside.of_track("other")
