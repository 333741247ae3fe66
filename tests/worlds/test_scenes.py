"""The world of scenes: same seed, same scene; splits share nothing; the sound is what the scene and its caption say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from earwitness.worlds.events import LEVELS, SAMPLES, render
from earwitness.worlds.scene_captions import (
    MAX_WORDS,
    MIN_WORDS,
    MODIFIERS,
    PUBLIC,
    EventMeaning,
    Lexicon,
    SceneRole,
    SceneWord,
    private,
    split_of,
    teach,
)
from earwitness.worlds.scenes import PITCHES, SPLITS, MadeScene, captions, lesson, scene, solo
from earwitness.worlds.sounds import LABELS, SAMPLE_RATE, SOUNDS

SHARED = 300
"""Scenes of a split that are compared with those of the others."""
SCENES = [scene("train", index) for index in range(500)]
EMBELLISHED = [lesson(item, np.random.default_rng(index), True) for index, item in enumerate(SCENES)]


def value_of(text: str, table: dict[str, tuple[str, ...]]) -> str:
    return next(value for value, words in table.items() if text in words)


def meant(words: Iterable[SceneWord], lexicon: Lexicon = PUBLIC) -> dict[int, dict[str, str]]:
    """What words say of each event, by role."""
    said: dict[int, dict[str, str]] = {}
    for word in words:
        if word.event is not None:
            table = lexicon.classes if word.role is SceneRole.class_ else lexicon.modifiers(word.role)
            said.setdefault(word.event, {})[word.role] = value_of(word.text, table)
    return said


def truth(item: MadeScene) -> dict[int, dict[str, str]]:
    """What is true of each event and to be said, by role."""
    return {
        number: {"class": event.label}
        | {role.value: value for role in MODIFIERS if (value := getattr(event, role)) is not None}
        for number, event in enumerate(item.events)
    }


def test_a_scene_and_its_sound_depend_on_split_index_and_seed_alone() -> None:
    again = scene("train", 7)
    assert again == SCENES[7]
    np.testing.assert_array_equal(render(again).audio, render(SCENES[7]).audio)
    others = [scene("train", 7, seed=1), scene("validation", 7)]
    assert len({again.id, *(other.id for other in others)}) == 3
    assert all(other.events != again.events for other in others)


def test_splits_share_no_caption_and_no_parameter_draw() -> None:
    drawn = {split: [scene(split, index) for index in range(SHARED)] for split in SPLITS}
    texts = {split: {item.caption.text for item in items} for split, items in drawn.items()}
    sounds = {
        split: {tuple(event.parameters.values()) for item in items for event in item.events}
        for split, items in drawn.items()
    }
    for split, said in texts.items():
        assert {split_of(text) for text in said} == {split}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not texts[one] & texts[other]
        assert not sounds[one] & sounds[other]


def test_captions_say_what_is_true_and_nothing_else() -> None:
    for item in SCENES:
        assert meant(item.caption.words) == truth(item)


def test_resampled_captions_stay_in_the_split_and_say_the_same() -> None:
    fresh = captions(SCENES[3], 50, np.random.default_rng(0))
    assert len({caption.text for caption in fresh}) > 40
    for caption in fresh:
        assert split_of(caption.text) == "train"
        assert meant(caption.words) == truth(SCENES[3])


def test_captions_have_eight_to_twelve_words_of_the_vocabulary() -> None:
    known = set(PUBLIC.vocabulary())
    lengths = set()
    for item in [*(each.caption for each in SCENES), *(each.caption for each in EMBELLISHED)]:
        words = item.text.split()
        assert len(words) == len(item.words)
        assert set(words) <= known
        lengths.add(len(words))
    assert lengths == set(range(MIN_WORDS, MAX_WORDS + 1))


def test_no_word_has_two_roles() -> None:
    tables = (PUBLIC.classes, PUBLIC.loudness, PUBLIC.pitch, PUBLIC.time)
    words = [word for table in tables for group in table.values() for word in group]
    words += [*PUBLIC.negators, *PUBLIC.fillers]
    assert len(words) == len(set(words)) == len(PUBLIC.vocabulary())


def test_modifiers_stand_right_before_the_name_of_their_event() -> None:
    for item in SCENES:
        words = item.caption.words
        for word, after in itertools.pairwise(words):
            if word.role in MODIFIERS:
                assert after.event == word.event
        assert words[-1].role not in MODIFIERS


def test_two_in_five_events_are_named_twice_by_two_synonyms_side_by_side_or_around_a_filler() -> None:
    doubled, total = 0, 0
    for item in SCENES:
        for number in range(len(item.events)):
            total += 1
            at = [
                place
                for place, word in enumerate(item.caption.words)
                if word.event == number and word.role is SceneRole.class_
            ]
            if len(at) == 2:
                doubled += 1
                assert at[1] - at[0] in (1, 2)
                assert item.caption.words[at[0]].text != item.caption.words[at[1]].text
                assert all(word.role is SceneRole.filler for word in item.caption.words[at[0] + 1 : at[1]])
            else:
                assert len(at) == 1
    assert 0.3 < doubled / total < 0.5


def test_a_denied_class_does_not_sound_and_its_negator_stands_before_it() -> None:
    denials = 0
    for item in SCENES:
        words = item.caption.words
        for place, word in enumerate(words):
            if word.role is SceneRole.negated:
                denials += 1
                assert words[place - 1].role is SceneRole.negator
                assert value_of(word.text, PUBLIC.classes) not in item.labels
        assert (
            sum(word.role is SceneRole.negator for word in words)
            == sum(word.role is SceneRole.negated for word in words)
            <= 1
        )
    assert 0.22 < denials / len(SCENES) < 0.38


def test_fillers_do_not_tell_how_many_events_there_are() -> None:
    counts = {
        number: [
            sum(word.role is SceneRole.filler for word in item.caption.words)
            for item in SCENES
            if len(item.events) == number
        ]
        for number in (2, 3)
    }
    assert abs(np.mean(counts[2]) - np.mean(counts[3])) < 0.7
    assert {0, 1, 2, 3, 4, 5} <= set(counts[2]) & set(counts[3])


def test_events_number_two_or_three_and_never_more_than_two_sound_at_one_moment() -> None:
    numbers = [len(item.events) for item in SCENES]
    assert 0.5 < numbers.count(3) / len(numbers) < 0.7
    assert set(numbers) == {2, 3}
    for item in SCENES:
        assert len(item.labels) == len(item.events)
        edges = sorted({event.start for event in item.events})
        assert all(sum(event.start <= edge < event.stop for event in item.events) <= 2 for edge in edges)
        if len(item.events) == 3:
            times = [event.time for event in item.events]
            assert {"early", "late"} <= set(times)
            assert times.count(None) <= 1


def test_a_solo_is_one_event_of_a_scene_and_says_of_it_what_the_scene_says() -> None:
    for item in SCENES[:60]:
        for number, event in enumerate(item.events):
            alone = solo(item, number)
            assert alone == solo(item, number)
            assert alone.events == (event,)
            assert meant(alone.caption.words) == {0: truth(item)[number]}
            assert split_of(alone.caption.text) == item.split
            assert MIN_WORDS <= len(alone.caption.words) <= MAX_WORDS
    assert len({solo(item, number).id for item in SCENES for number in (0, 1)} | {item.id for item in SCENES}) == 1500


def test_early_events_end_before_the_middle_and_late_ones_begin_after_it() -> None:
    events = [event for item in SCENES for event in item.events]
    assert all(event.stop <= 0.96 for event in events if event.time == "early")
    assert all(event.start >= 1.0 for event in events if event.time == "late")
    assert all(event.start <= 0.12 and event.stop >= 1.88 for event in events if event.time is None)


def test_a_quiet_event_sounds_alone() -> None:
    quiet = [(item, event) for item in SCENES for event in item.events if event.loudness == "quiet"]
    assert len(quiet) > 50
    for item, event in quiet:
        assert item.alone(event)
        others = [other for other in item.events if other is not event]
        assert all(other.stop <= event.start or event.stop <= other.start for other in others)


def test_low_high_and_unsaid_pitches_do_not_meet_and_low_and_high_are_far_apart() -> None:
    for label in LABELS:
        low, unsaid, high = (PITCHES[label][value] for value in ("low", None, "high"))
        assert set(low) == set(unsaid) == set(high) <= set(SOUNDS[label].ranges)
        for name in low:
            assert low[name][0] < low[name][1] < unsaid[name][0] < unsaid[name][1] < high[name][0] < high[name][1]
            assert sum(high[name]) / sum(low[name]) > 1.45


def test_parameters_lie_where_the_pitch_says() -> None:
    for item in SCENES:
        for event in item.events:
            for name, (low, high) in PITCHES[event.label][event.pitch].items():
                assert low <= event.parameters[name] <= high
            assert set(event.parameters) == set(SOUNDS[event.label].ranges)


def test_a_stem_sounds_in_its_interval_only_and_at_its_level() -> None:
    for item in SCENES[:60]:
        audio, stems = render(item)
        assert audio.shape == (SAMPLES,)
        np.testing.assert_allclose(audio, stems.sum(0), atol=1e-7)
        for event, stem in zip(item.events, stems, strict=True):
            start, stop = int(event.start * SAMPLE_RATE), int(event.stop * SAMPLE_RATE)
            level = 10 * np.log10(np.mean(stem[start:stop].astype(float) ** 2))
            assert level == pytest.approx(event.gain_db, abs=0.01)
            assert LEVELS[event.loudness][0] <= event.gain_db <= LEVELS[event.loudness][1]
            assert not stem[:start].any()
            assert not stem[stop:].any()


def test_an_embellished_caption_without_its_surplus_says_what_is_true() -> None:
    kinds = set()
    for item, taught in zip(SCENES, EMBELLISHED, strict=True):
        words = taught.caption.words
        seen = [word for word, surplus in zip(words, taught.surplus, strict=True) if not surplus]
        assert meant(seen) == truth(item)
        for place, (word, surplus) in enumerate(zip(words, taught.surplus, strict=True)):
            if surplus:
                kinds.add((word.role, word.event is None))
                if word.role in MODIFIERS and word.event is not None:
                    value = value_of(word.text, PUBLIC.modifiers(word.role))
                    assert value != getattr(item.events[word.event], word.role)
            elif word.role is SceneRole.negated:
                assert not taught.surplus[place - 1]
    assert kinds >= {(role, False) for role in MODIFIERS} | {
        (SceneRole.class_, True),
        (SceneRole.negator, True),
        (SceneRole.negator, False),
        (SceneRole.negated, True),
    }
    assert np.mean([any(taught.surplus) for taught in EMBELLISHED]) > 0.9


def test_of_some_events_that_are_not_there_all_is_said_but_the_name() -> None:
    left, taken = 0, 0
    for taught in EMBELLISHED:
        words, following = taught.caption.words, None
        for place in range(len(words) - 1, -1, -1):
            word, surplus = words[place], taught.surplus[place]
            if word.role is SceneRole.class_:
                following = (word, surplus)
            elif word.role in MODIFIERS and word.event is None:
                # It stands before its name, which nobody sees.
                assert following is not None
                assert following[0].event is None
                assert following[1]
                left, taken = left + (not surplus), taken + surplus
    assert 0.35 < left / (left + taken) < 0.65


def test_a_surplus_negator_stands_where_one_of_a_denial_does() -> None:
    beside = [
        (taught.caption.words, place)
        for taught in EMBELLISHED
        for place, word in enumerate(taught.caption.words)
        if word.role is SceneRole.negator and word.event is not None
    ]
    assert len(beside) > 20
    for words, place in beside:
        event = words[place].event
        own = [word for word in words if word.event == event]
        assert [word.role for word in own] == [SceneRole.negator, SceneRole.class_]
        assert words[place + 1] == own[1]


def test_words_of_a_lesson_are_labelled_by_the_class_that_they_speak_of() -> None:
    for item, taught in zip(SCENES, EMBELLISHED, strict=True):
        for word, label in zip(taught.caption.words, taught.labels, strict=True):
            assert (label is None) == (word.role is SceneRole.filler)
            if word.event is not None:
                assert label == item.events[word.event].label
            elif word.role in (SceneRole.class_, SceneRole.negated):
                assert word.text in PUBLIC.classes[str(label)]


def test_a_private_lexicon_has_the_same_words_with_other_meanings_whatever_their_role() -> None:
    secret = private(5)
    assert secret == private(5) != private(6)
    assert secret.vocabulary() == PUBLIC.vocabulary()
    kept = [word for label, words in secret.classes.items() for word in words if word in PUBLIC.classes[label]]
    assert len(kept) < 4
    public_fillers, mine = set(PUBLIC.fillers), {word for words in secret.classes.values() for word in words}
    # A list of the published words that mean something does not tell those that do here.
    assert len(mine & public_fillers) > 5
    assert len(set(secret.fillers) & public_fillers) < len(public_fillers) - 5


def test_a_private_world_has_other_scenes_said_by_its_own_words() -> None:
    secret = private(5)
    public = [item.events for item in SCENES[:40]]
    said = [scene("train", int(item.id.split("-")[1]), lexicon=secret) for item in SCENES[:40]]
    assert not any(item.events == events for item, events in zip(said, public, strict=True))
    for item in said:
        assert meant(item.caption.words, secret) == truth(item)


def test_more_words_than_fit_are_not_said() -> None:
    full = [
        EventMeaning(label, "loud", "high", time) for label, time in zip(LABELS, ("early", "late", None), strict=False)
    ]
    rng = np.random.default_rng(0)
    for _ in range(50):
        taught = teach(full, "train", rng, embellished=True)
        assert len(taught.caption.words) <= MAX_WORDS


def test_captions_that_say_next_to_nothing_are_padded_to_the_same_lengths() -> None:
    rng = np.random.default_rng(0)
    lengths = [
        len(teach([EventMeaning("bark"), EventMeaning("rain")], "train", rng).caption.words) for _ in range(1500)
    ]
    assert set(lengths) == set(range(MIN_WORDS, MAX_WORDS + 1))
