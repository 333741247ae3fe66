"""The floors' own arithmetic: swapped words and levels."""

from __future__ import annotations

import pytest
import torch

from earwitness.authoring.training.floors import level_db, mirror, summary, swap
from earwitness.worlds.captions import LOUDNESS_WORDS


def test_swapping_changes_loudness_words_only() -> None:
    assert swap("the faint dog and some rain", LOUDNESS_WORDS, "loud") == "the loud dog and some rain"
    assert swap("the booming dog", LOUDNESS_WORDS, "quiet") == "the quiet dog"
    assert swap("the dog", LOUDNESS_WORDS, "quiet") == "the dog"


def test_mirroring_order_words_twice_changes_nothing() -> None:
    prompt = "one early dog plus that closing rain"
    assert mirror(prompt) == "one late dog plus that opening rain"
    assert mirror(mirror(prompt)) == prompt


def test_a_tenth_of_full_scale_is_minus_twenty_decibel_and_silence_minus_a_hundred() -> None:
    levels = level_db(torch.stack([torch.full((100,), 0.1), torch.zeros(100)]))
    assert levels.tolist() == pytest.approx([-20.0, -100.0])


def test_a_summary_is_one_line_of_names_and_figures() -> None:
    assert summary({"a": 0.5, "b": 1.0}) == "a 0.500  b 1.000"
