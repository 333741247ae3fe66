"""The soundscape world: same seed, same scene; splits share nothing; the sound is what the scene says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from earwitness.worlds.captions import (
    CLASS_WORDS,
    LOUDNESS_WORDS,
    MAX_WORDS,
    MIN_WORDS,
    ORDER_WORDS,
    Role,
    split_of,
    vocabulary,
)
from earwitness.worlds.sounds import LABELS, SAMPLE_RATE, draw, synthesise
from earwitness.worlds.soundscape import LEVELS, SAMPLES, SPLITS, captions, render, scene

SHARED = 400
"""Scenes of a split that are compared with those of the others."""
SCENES = [scene("train", index, order=True) for index in range(300)]


def test_a_scene_and_its_sound_depend_on_split_index_and_seed_alone() -> None:
    again = scene("train", 7, order=True)
    assert again == SCENES[7]
    np.testing.assert_array_equal(render(again).audio, render(SCENES[7]).audio)
    assert scene("train", 7, seed=1, order=True).events != again.events
    assert scene("validation", 7, order=True).events != again.events


def test_splits_share_no_caption_and_no_parameter_draw() -> None:
    drawn = {split: [scene(split, index, order=bool(index % 2)) for index in range(SHARED)] for split in SPLITS}
    fresh = [scene("test", index, seed=5) for index in range(SHARED)]
    texts = {split: {item.caption.text for item in items} for split, items in drawn.items()}
    texts["test"] |= {item.caption.text for item in fresh}
    sounds = {
        split: {tuple(event.parameters.values()) for item in items for event in item.events}
        for split, items in drawn.items()
    }
    for split, said in texts.items():
        assert {split_of(text) for text in said} == {split}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not texts[one] & texts[other]
        assert not sounds[one] & sounds[other]


def test_resampled_captions_stay_in_the_split_and_say_the_same() -> None:
    rng = np.random.default_rng(0)
    item = next(s for s in SCENES if len(s.events) == 2 and s.events[0].order and s.events[0].loudness)
    fresh = captions(item, 50, rng)
    assert len({caption.text for caption in fresh}) > 25
    for caption in fresh:
        assert split_of(caption.text) == "train"
        assert _said(caption.words) == _said(item.caption.words)


def _said(words: tuple[object, ...]) -> set[tuple[object, ...]]:
    """What a caption means: the role's value and the event of every word that is no filler."""
    tables = {Role.class_: CLASS_WORDS, Role.loudness: LOUDNESS_WORDS, Role.order: ORDER_WORDS}
    return {
        (next(value for value, synonyms in tables[word.role].items() if word.text in synonyms), word.event)  # type: ignore[attr-defined]
        for word in words
        if word.role is not Role.filler  # type: ignore[attr-defined]
    }


def test_captions_have_three_to_ten_words_of_the_vocabulary() -> None:
    known = set(vocabulary())
    for item in SCENES:
        words = item.caption.text.split()
        assert MIN_WORDS <= len(words) <= MAX_WORDS
        assert set(words) <= known
        assert item.caption.text == item.caption.text.lower()


def test_no_word_has_two_roles() -> None:
    groups = [*CLASS_WORDS.values(), *LOUDNESS_WORDS.values(), *ORDER_WORDS.values()]
    words = [word for group in groups for word in group]
    assert len(words) == len(set(words))
    fillers = {word.text for item in SCENES for word in item.caption.words if word.role is Role.filler}
    assert not fillers & set(words)


def test_every_event_is_named_once_and_said_loudness_and_order_are_said() -> None:
    for item in SCENES:
        for number, event in enumerate(item.events):
            words = [word for word in item.caption.words if word.event == number]
            roles = sorted(word.role for word in words)
            expected = [Role.class_] + [Role.loudness] * (event.loudness is not None) + [Role.order] * bool(event.order)
            assert roles == sorted(expected)
            assert all(item.interval(word) == (event.start, event.stop) for word in words)


def test_half_of_the_scenes_have_two_events_of_distinct_classes() -> None:
    pairs = [item for item in SCENES if len(item.events) == 2]
    assert 0.4 < len(pairs) / len(SCENES) < 0.6
    assert all(len(item.labels) == 2 for item in pairs)


def test_the_mix_is_the_sum_of_its_stems_within_full_scale() -> None:
    for item in SCENES[:60]:
        audio, stems = render(item)
        assert audio.shape == (SAMPLES,)
        assert stems.shape == (len(item.events), SAMPLES)
        np.testing.assert_allclose(audio, stems.sum(0), atol=1e-7)
        assert np.abs(audio).max() < 1.0


def test_a_stem_sounds_in_its_interval_only_and_at_its_level() -> None:
    for item in SCENES[:60]:
        for event, stem in zip(item.events, render(item).stems, strict=True):
            start, stop = int(event.start * SAMPLE_RATE), int(event.stop * SAMPLE_RATE)
            level = 10 * np.log10(np.mean(stem[start:stop].astype(float) ** 2))
            assert level == pytest.approx(event.gain_db, abs=0.01)
            low, high = LEVELS[event.loudness]
            assert low <= event.gain_db <= high
            assert not stem[:start].any()
            assert not stem[stop:].any()


def test_loud_and_quiet_are_at_least_14_db_apart_and_the_unsaid_lies_between() -> None:
    assert LEVELS["loud"][0] - LEVELS["quiet"][1] >= 14
    assert LEVELS["quiet"][1] < LEVELS[None][0] < LEVELS[None][1] < LEVELS["loud"][0]


def test_early_events_end_before_the_middle_and_late_ones_begin_after_it() -> None:
    events = [event for item in SCENES for event in item.events]
    assert all(event.stop <= 0.96 for event in events if event.order == "early")
    assert all(event.start >= 1.0 for event in events if event.order == "late")
    assert {event.order for event in events} == {"early", "late", None}
    assert all(event.order is None for index in range(50) for event in scene("train", index).events)


def test_two_ordered_events_never_overlap() -> None:
    for item in SCENES:
        if len(item.events) == 2 and item.events[0].order:
            assert {event.order for event in item.events} == {"early", "late"}


@pytest.mark.parametrize("label", LABELS)
def test_every_class_sounds_in_every_quarter_second(label: str) -> None:
    rng = np.random.default_rng(3)
    wave = synthesise(label, draw(label, rng), SAMPLES, rng)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(1.0)
    quarters = wave[: SAMPLES // 4 * 4].reshape(4, -1)
    assert (np.sqrt((quarters**2).mean(1)) > 0.3).all()
