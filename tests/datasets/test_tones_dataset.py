"""The tones world as a dataset: studies that share no clip, and factors that stand in the order of the clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from earwitness.datasets import tones
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.estimators import brightness, loudness
from earwitness.worlds.tones import FACTORS, MOVE_TOGETHER, SAMPLE_RATE, SAMPLES

SMALL: dict[str, Any] = {"train": 6, "test": 4}


def test_a_study_has_the_clips_and_the_factors_that_were_asked_for() -> None:
    assert set(tones.load(items=1, **SMALL)[0].test.factors) == set(tones.EXPLAINED)
    record = tones.load(items=1, factors=FACTORS, **SMALL)[0]
    for notes, count in ((record.train, 6), (record.test, 4)):
        clips = notes.audio(SAMPLE_RATE)
        assert [clip.shape for clip in clips] == [(SAMPLES,)] * count
        assert set(notes.factors) == set(FACTORS)
        assert {values.shape for values in notes.factors.values()} == {(count,)}
    assert record.estimated == ()


def test_factors_stand_in_the_order_of_the_clips() -> None:
    notes = tones.load(items=1, **SMALL)[0].train
    clips = notes.audio(SAMPLE_RATE)
    assert [loudness(clip, SAMPLE_RATE) for clip in clips] == pytest.approx(notes.factors["loudness"], abs=0.01)
    assert [brightness(clip, SAMPLE_RATE) for clip in clips] == pytest.approx(notes.factors["brightness"], abs=0.05)


def test_studies_take_turns_among_the_worlds_and_only_training_clips_are_correlated() -> None:
    independent, correlated = tones.load(items=2, train=300, test=300)
    assert (independent.correlated, correlated.correlated) == ((), MOVE_TOGETHER)
    for record, expected in ((independent, 0.0), (correlated, 0.9)):
        train, test = (spearmanr(*(notes.factors[name] for name in MOVE_TOGETHER))[0]
                       for notes in (record.train, record.test))  # fmt: skip
        assert train == pytest.approx(expected, abs=0.15 if expected == 0 else 0.05)
        assert test == pytest.approx(0, abs=0.15)


def test_worlds_may_be_one_alone() -> None:
    assert {record.correlated for record in tones.load(items=3, worlds=["correlated"], **SMALL)} == {MOVE_TOGETHER}
    assert {record.correlated for record in tones.load(items=3, worlds=["independent"], **SMALL)} == {()}


def test_no_two_studies_share_a_clip_whatever_their_split_and_seed() -> None:
    drawn = [
        tones.load(split=split, items=3, seed=seed, **SMALL) for split in ("validation", "test") for seed in (0, 7)
    ]
    records = [record for some in drawn for record in some]
    assert len({record.id for record in records}) == len(records) == 12
    levels = [level for one in records for notes in (one.train, one.test) for level in notes.factors["loudness"]]
    assert len(set(levels)) == len(levels) == 12 * 10


def test_more_clips_or_studies_leave_the_first_as_they_were() -> None:
    few, many = tones.load(items=1, **SMALL)[0], tones.load(items=2, train=8, test=6)[0]
    assert few.id == many.id
    assert np.array_equal(few.train.factors["pitch"], many.train.factors["pitch"][:6])
    for one, other in zip(few.test.audio(SAMPLE_RATE), many.test.audio(SAMPLE_RATE), strict=False):
        assert np.array_equal(one, other)


def test_the_world_draws_afresh() -> None:
    assert tones.MADE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"split": "dev"}, "no split 'dev'; splits: train, validation, test"),
        ({"worlds": ["odd"]}, r"worlds is a list of some of independent, correlated; found \['odd'\]"),
        ({"worlds": "correlated"}, "parameter worlds must be a valid array, not 'correlated'"),
        ({"factors": ["odd"]}, r"factors is a list of some of pitch, loudness, brightness, attack; found \['odd'\]"),
        ({"factors": "pitch"}, "parameter factors must be a valid array"),
        ({"train": 0}, "parameter train must be greater than or equal to 1, not 0"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(EarwitnessError, match=said) as caught:
        tones.load(items=1, **wrong)
    assert "\n" not in str(caught.value)


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(InvalidItemError, match="made at 16000 Hz, and the model hears 24000 Hz"):
        tones.load(items=1, **SMALL)[0].train.audio(24_000)
