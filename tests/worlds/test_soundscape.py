"""The soundscape: the clips that the shipped codec heard, to the last bit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from earwitness.worlds.events import HALF, LEVELS, SAMPLES, render
from earwitness.worlds.sounds import SAMPLE_RATE
from earwitness.worlds.soundscape import scene

SCENES = [scene(index) for index in range(300)]
DRAWN = "85b7667ee0762109"
HEARD = "f5e5bd969fb0a775"


def test_what_is_drawn_is_what_it_was_when_the_codec_was_trained() -> None:
    drawn = [
        [
            (event.label, event.start, event.stop, event.gain_db, sorted(event.parameters.items()))
            for event in some.events
        ]
        for some in SCENES
    ]
    assert hashlib.sha256(repr([drawn, [some.noise for some in SCENES]]).encode()).hexdigest()[:16] == DRAWN


def test_a_clip_is_what_it_was_when_the_codec_was_trained() -> None:
    # In 16 bits a sample: the last bits of a sum of sines may differ between machines.
    audio = np.round(render(SCENES[7]).audio * 2**15).astype("<i2")
    assert hashlib.sha256(audio.tobytes()).hexdigest()[:16] == HEARD


def test_a_scene_depends_on_its_number_alone() -> None:
    assert scene(7) == SCENES[7]
    np.testing.assert_array_equal(render(scene(7)).audio, render(SCENES[7]).audio)
    assert len({repr(some.events) for some in SCENES}) == len(SCENES)


def test_half_of_the_scenes_have_two_events_of_distinct_classes() -> None:
    pairs = [some for some in SCENES if len(some.events) == 2]
    assert 0.4 < len(pairs) / len(SCENES) < 0.6
    assert all(len(some.labels) == 2 for some in pairs)
    assert {len(some.events) for some in SCENES} == {1, 2}


def test_half_of_the_scenes_have_events_in_one_half_alone_which_two_never_share() -> None:
    timed = 0
    for some in SCENES:
        early, late = sum(event.stop < HALF for event in some.events), sum(event.start >= HALF for event in some.events)
        timed += early + late > 0
        assert early + late in (0, len(some.events))
        assert max(early, late) <= 1
    assert 0.45 < timed / len(SCENES) < 0.65


def test_a_quiet_event_is_never_under_a_loud_one() -> None:
    for some in SCENES:
        levels = [event.gain_db for event in some.events]
        if len(levels) == 2 and min(levels) < LEVELS["quiet"][1] and max(levels) > LEVELS["loud"][0]:
            one, other = sorted(some.events, key=lambda event: event.start)
            assert one.stop < other.start


def test_a_stem_sounds_in_its_interval_only_and_at_its_level_and_the_mix_is_their_sum_within_full_scale() -> None:
    for some in SCENES[:60]:
        audio, stems = render(some)
        assert audio.shape == (SAMPLES,)
        np.testing.assert_allclose(audio, stems.sum(0), atol=1e-7)
        assert np.abs(audio).max() < 1.0
        for event, stem in zip(some.events, stems, strict=True):
            start, stop = int(event.start * SAMPLE_RATE), int(event.stop * SAMPLE_RATE)
            level = 10 * np.log10(np.mean(stem[start:stop].astype(float) ** 2))
            assert level == pytest.approx(event.gain_db, abs=0.01)
            assert not stem[:start].any()
            assert not stem[stop:].any()
