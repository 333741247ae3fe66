"""The tones world: which factors are drawn, which move together, and what is rendered of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from earwitness.errors import EarwitnessError
from earwitness.worlds.tones import (
    ATTACKS,
    BRIGHTNESSES,
    CORRELATION,
    FACTORS,
    LOUDNESSES,
    MOVE_TOGETHER,
    PITCHES,
    SAMPLE_RATE,
    SAMPLES,
    SPLITS,
    frequency,
    partials,
    render,
    tone,
)

SPANS = {"pitch": PITCHES, "loudness": LOUDNESSES, "brightness": BRIGHTNESSES, "attack": ATTACKS}
DRAWN = 800


def drawn(split: Any, correlated: bool) -> dict[str, np.ndarray]:
    tones = [tone(split, index, correlated=correlated) for index in range(DRAWN)]
    return {name: np.array([made.factors[name] for made in tones]) for name in FACTORS}


def correlations(split: Any, correlated: bool) -> dict[tuple[str, str], float]:
    found = drawn(split, correlated)
    return {pair: float(spearmanr(found[pair[0]], found[pair[1]])[0]) for pair in itertools.combinations(FACTORS, 2)}


@pytest.mark.parametrize("split", SPLITS)
def test_factors_are_independent_of_each_other(split: Any) -> None:
    # Four standard errors of a rank correlation of independent draws.
    assert max(map(abs, correlations(split, correlated=False).values())) < 4 / np.sqrt(DRAWN)


def test_loudness_and_brightness_of_correlated_training_clips_move_together_and_nothing_else_does() -> None:
    found = correlations("train", correlated=True)
    assert found.pop(MOVE_TOGETHER) == pytest.approx(CORRELATION, abs=0.03)
    assert max(map(abs, found.values())) < 4 / np.sqrt(DRAWN)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_clips_that_are_tried_are_the_same_in_both_variants(split: Any) -> None:
    assert [tone(split, index, correlated=True) for index in range(20)] == [tone(split, index) for index in range(20)]


def test_a_correlated_clip_differs_from_its_twin_in_its_brightness_alone() -> None:
    alone, together = tone("train", 3, 5), tone("train", 3, 5, correlated=True)
    assert alone.id != together.id
    assert {name for name in vars(alone) if getattr(alone, name) != getattr(together, name)} == {"id", "brightness"}


@pytest.mark.parametrize("correlated", [False, True])
def test_factors_fill_their_spans_evenly_in_both_variants(correlated: bool) -> None:
    for name, values in drawn("train", correlated).items():
        low, high = SPANS[name]
        shares = np.histogram(values, bins=4, range=(low, high))[0] / DRAWN
        assert shares.sum() == pytest.approx(1)
        assert np.abs(shares - 0.25).max() < 0.07


def test_clips_are_rendered_bit_for_bit_alike_in_any_order_and_of_whole_code_frames() -> None:
    tones = [tone(split, index) for split in SPLITS for index in range(4)]
    forward = [render(made) for made in tones]
    back = [render(made) for made in reversed(tones)]
    for one, other in zip(forward, reversed(back), strict=True):
        assert one.dtype == np.float32
        assert one.shape == (SAMPLES,)
        assert one.tobytes() == other.tobytes()
    assert SAMPLES % 640 == 0


def test_splits_seeds_and_indices_draw_different_clips() -> None:
    tones = [tone(split, index, seed) for split in SPLITS for index in range(3) for seed in (0, 1)]
    assert len({made.id for made in tones}) == len(tones)
    assert len({(made.loudness, made.phases) for made in tones}) == len(tones)


def test_no_clip_reaches_full_scale() -> None:
    loudest = sorted((tone("train", index, 2) for index in range(1500)), key=lambda made: -made.loudness)[:60]
    assert max(float(np.abs(render(made)).max()) for made in loudest) < 0.9


def test_a_phrase_plays_three_notes_around_its_pitch_and_about_half_of_the_clips_are_phrases() -> None:
    tones = [tone("test", index) for index in range(DRAWN)]
    assert {tuple(sorted(made.steps)) for made in tones} == {(0,), (-1, 0, 1), (-2, 0, 2), (-3, 0, 3)}
    assert np.mean([len(made.steps) == 3 for made in tones]) == pytest.approx(0.5, abs=0.07)


def test_partials_have_the_wanted_mean_frequency_whatever_the_note() -> None:
    for pitch, wanted in itertools.product((PITCHES[0] - 3, 60, PITCHES[1] + 3), (*BRIGHTNESSES, 0.9)):
        amplitudes = partials(pitch, wanted)
        frequencies = frequency(pitch) * np.arange(1, len(amplitudes) + 1)
        assert frequencies[-1] < SAMPLE_RATE / 2
        assert np.log2(np.average(frequencies, weights=amplitudes) / 1000) == pytest.approx(wanted, abs=1e-6)


def test_an_unknown_split_is_refused() -> None:
    wrong: Any = "dev"
    with pytest.raises(EarwitnessError, match="no split 'dev'; splits: train, validation, test"):
        tone(wrong, 0)
