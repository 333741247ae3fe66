"""The stems world as a dataset: records hold what a rendering gives, and faults are one line."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.datasets import stems
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.scoring.band.truth import named
from earwitness.worlds.stems import DURATION, clip, render
from earwitness.worlds.synthesiser import SAMPLE_RATE


def test_records_hold_the_clips_of_the_world() -> None:
    for index, record in enumerate(stems.load(items=3)):
        made = clip("test", index)
        sound = render(made)
        assert (record.id, record.prompt, record.cluster) == (made.id, made.prompt, made.prompt)
        assert record.seconds == DURATION == len(sound.audio) / SAMPLE_RATE
        assert np.array_equal(record.audio(SAMPLE_RATE), sound.audio)
        assert np.array_equal(record.stems(SAMPLE_RATE, made.instruments), sound.stems)


def test_stems_come_in_the_order_that_they_are_asked_in_and_add_up_to_the_mix() -> None:
    for record in stems.load(items=5, split="validation"):
        names = tuple(name for _, name in named(record.prompt, record.known))
        assert len(names) >= 2
        forward, back = record.stems(SAMPLE_RATE, names), record.stems(SAMPLE_RATE, names[::-1])
        assert np.array_equal(forward, back[::-1])
        assert forward.sum(0) == pytest.approx(record.audio(SAMPLE_RATE), abs=1e-6)


def test_a_stem_is_the_same_whatever_was_rendered_before() -> None:
    clips = [clip("test", index) for index in range(6)]
    forward = [render(made).stems for made in clips]
    back = [render(made).stems for made in clips[::-1]][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(forward, back, strict=True))


def test_what_a_reader_does_to_a_stem_does_not_reach_the_next() -> None:
    record = stems.load(items=1)[0]
    names = tuple(name for _, name in named(record.prompt, record.known))
    record.stems(SAMPLE_RATE, names)[:] = 0
    record.audio(SAMPLE_RATE)[:] = 0
    assert record.stems(SAMPLE_RATE, names).any()
    assert record.audio(SAMPLE_RATE).any()


def test_another_seed_draws_other_items_with_other_names() -> None:
    first, second = stems.load(items=3), stems.load(items=3, seed=7)
    assert stems.MADE
    assert not {record.id for record in first} & {record.id for record in second}
    assert [record.prompt for record in first] != [record.prompt for record in second]


def test_an_unknown_split_another_sample_rate_and_a_missing_stem_are_refused() -> None:
    with pytest.raises(EarwitnessError, match="no split 'dev'; splits: train, validation, test"):
        stems.load(split="dev", items=1)
    record = stems.load(items=1)[0]
    with pytest.raises(InvalidItemError, match="16000 Hz, and the model hears 44100 Hz"):
        record.audio(44_100)
    with pytest.raises(InvalidItemError, match=f"{record.id} has no stem of piano"):
        record.stems(SAMPLE_RATE, ("piano",))
