"""The stems world for the concept track."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from earwitness.datasets import stems_notes
from earwitness.datasets.stems_notes import ESTIMATORS, FACTORS, GAINS, LOW, low_share
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.seeds import derive
from earwitness.worlds import stems
from earwitness.worlds.estimators import brightness
from earwitness.worlds.synthesiser import SAMPLE_RATE

SMALL: dict[str, Any] = {"train": 5, "test": 4, "traced": 2}


def test_a_study_has_the_clips_that_were_asked_for_with_every_factor_measured_and_marked_as_estimated() -> None:
    record = stems_notes.load(items=1, **SMALL)[0]
    assert record.estimated == FACTORS == tuple(ESTIMATORS)
    for notes, count in ((record.train, 5), (record.test, 4)):
        assert tuple(notes.factors) == FACTORS
        clips = notes.audio(SAMPLE_RATE)
        assert [sound.shape for sound in clips] == [(stems.SAMPLES,)] * count
        for name, values in notes.factors.items():
            assert values.tolist() == [ESTIMATORS[name](sound, SAMPLE_RATE) for sound in clips]


def test_factors_are_the_same_whether_or_not_the_sounds_were_asked_for() -> None:
    asked, other = (stems_notes.load(items=1, **SMALL)[0].test for _ in range(2))
    asked.audio(SAMPLE_RATE)
    assert all(np.array_equal(asked.factors[name], other.factors[name]) for name in FACTORS)
    assert "pitch" not in other.factors


def test_names_of_factors_render_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stems_notes, "render", lambda made: pytest.fail("rendered"))
    records = stems_notes.load(items=3, **SMALL)
    assert {name for record in records for name in record.train.factors} == set(FACTORS)


def test_a_gain_moves_a_clips_loudness_and_nothing_else() -> None:
    record = stems_notes.load(items=1, train=3, test=1, traced=0)[0]
    drawn = derive("stems_notes", "test", 0, 0)
    for number, sound in enumerate(record.train.audio(SAMPLE_RATE)):
        whole = stems.render(stems.clip("train", number, drawn)).audio
        gain = 20 * np.log10(np.abs(sound).max() / np.abs(whole).max())
        assert GAINS[0] <= gain <= GAINS[1]
        assert record.train.factors["brightness"][number] == pytest.approx(brightness(whole, SAMPLE_RATE), abs=1e-4)
        assert record.train.factors["low_share"][number] == pytest.approx(low_share(whole, SAMPLE_RATE), abs=1e-4)


def test_the_prompts_to_trace_are_of_the_first_held_out_clips() -> None:
    record = stems_notes.load(items=2, split="validation", **SMALL)[1]
    drawn = derive("stems_notes", "validation", 1, 0)
    assert record.prompts == tuple(stems.clip("validation", number, drawn).prompt for number in range(2))


def test_no_two_studies_share_a_clip_whatever_their_split_and_seed() -> None:
    drawn = [
        stems_notes.load(split=split, items=2, seed=seed, train=2, test=2, traced=1)
        for split in ("validation", "test")
        for seed in (0, 7)
    ]
    records = [record for some in drawn for record in some]
    assert len({record.id for record in records}) == len(records) == 8
    levels = [level for one in records for notes in (one.train, one.test) for level in notes.factors["loudness"]]
    assert len(set(levels)) == len(levels) == 8 * 4


@pytest.mark.parametrize("frequency", [LOW - 1, LOW + 1])
def test_what_is_low_lies_under_the_edge(frequency: float) -> None:
    wave = np.sin(2 * np.pi * frequency * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert low_share(wave, SAMPLE_RATE) == pytest.approx(0.0 if frequency < LOW else -60.0, abs=1e-6)


def test_silence_has_no_low_share() -> None:
    assert np.isnan(low_share(np.zeros(100, dtype=np.float32), SAMPLE_RATE))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"split": "train"}, "held out from the split validation or test; found split = 'train'"),
        ({"train": 0}, "parameter train must be greater than or equal to 1, not 0"),
        ({"test": 4, "traced": 5}, "4 test clips, and the prompts of 5 are to be traced; lower traced"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(given: dict[str, Any], told: str) -> None:
    with pytest.raises(EarwitnessError, match=told) as caught:
        stems_notes.load(items=1, **given)
    assert "\n" not in str(caught.value)


def test_another_sample_rate_is_refused_in_one_line() -> None:
    with pytest.raises(InvalidItemError, match="stems are made at 16000 Hz, and the model hears 44100 Hz"):
        stems_notes.load(items=1, **SMALL)[0].train.audio(44_100)
