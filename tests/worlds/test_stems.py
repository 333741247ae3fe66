"""The stems world: what is rendered, what is said of it, and how little other clips say about one."""

from __future__ import annotations

import builtins
from collections import Counter
from typing import Any

import numpy as np
import pytest

from earwitness.errors import EarwitnessError
from earwitness.worlds import synthesiser
from earwitness.worlds.stems import (
    CLOSINGS,
    DURATION,
    INSTRUMENTS,
    NAMES,
    OPENINGS,
    SAMPLES,
    SPLITS,
    clip,
    render,
    split_of,
)
from earwitness.worlds.synthesiser import SAMPLE_RATE, Note, Program, play

CLIPS = [clip("test", index) for index in range(60)]


def _centre(wave: np.ndarray) -> float:
    """Median frequency of the energy, in Hz."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float(np.searchsorted(np.cumsum(power), power.sum() / 2) * SAMPLE_RATE / len(wave))


def test_a_clip_is_rendered_alike_in_any_order() -> None:
    first = [render(item).stems for item in CLIPS[:6]]
    again = [render(item).stems for item in reversed(CLIPS[:6])]
    for one, other in zip(first, reversed(again), strict=True):
        assert np.array_equal(one, other)


def test_the_mix_is_the_sum_of_stems_that_all_sound_and_never_clips() -> None:
    for item in CLIPS[:20]:
        made = render(item)
        assert made.audio.shape == (SAMPLES,)
        np.testing.assert_allclose(made.stems.sum(0), made.audio, atol=1e-6)
        assert np.abs(made.audio).max() <= 0.9901
        assert (np.sqrt((made.stems**2).mean(1)) > 10 ** (-40 / 20)).all()


def test_prompts_name_each_instrument_once_and_nothing_else_that_sounds() -> None:
    for item in [*CLIPS, *(clip("train", index) for index in range(60))]:
        words = item.prompt.split()
        assert Counter(word for word in words if word in NAMES) == Counter(item.instruments)
        assert [word.text for word in item.words] == words
        for word in item.words:
            assert (word.part is not None) == (word.text in NAMES)
            if word.part is not None:
                assert item.parts[word.part].instrument == word.text


def test_test_clips_have_two_or_three_instruments_and_training_clips_one_as_well() -> None:
    assert {len(item.parts) for item in CLIPS} == {2, 3}
    assert {len(clip("train", index).parts) for index in range(60)} == {1, 2, 3}


def test_openings_and_closings_are_of_one_split_each() -> None:
    found = Counter(split_of(opening, closing) for opening in OPENINGS for closing in CLOSINGS)
    assert set(found) == set(SPLITS)
    for item in CLIPS:
        text = item.prompt
        assert any(
            text.startswith(opening) and text.endswith(closing) and split_of(opening, closing) == "test"
            for opening in OPENINGS
            for closing in CLOSINGS
        )


def test_other_seeds_and_other_indices_give_other_clips() -> None:
    assert clip("test", 3) == clip("test", 3)
    assert clip("test", 3) != clip("test", 4)
    assert clip("test", 3, seed=1).parts != clip("test", 3).parts
    assert clip("test", 3, seed=1).id == "test-00003-1"


def test_every_instrument_plays_low_in_one_clip_and_high_in_another() -> None:
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in NAMES}
    for index in range(150):
        item = clip("train", index)
        for part, stem in zip(item.parts, render(item).stems, strict=True):
            found[part.instrument].append((part.centre, _centre(stem)))
    spread = {}
    for name, heard in found.items():
        centres = np.array([centre for _, centre in heard])
        low, high = np.quantile(centres, [0.1, 0.9])
        assert high > 1.5 * low, name
        spread[name] = centres
    for name in ("bass", "organ", "trumpet", "bell"):
        places, heard_at = np.array(found[name]).T
        assert np.corrcoef(places, np.log(heard_at))[0, 1] > 0.8, name
    # Four bands, up to 250 Hz, 1 kHz, 3 kHz and above: each is some instrument's in a tenth of its clips at least.
    shares = {name: np.bincount(np.digitize(values, [250, 1000, 3000]), minlength=4) for name, values in spread.items()}
    most = np.max([share / share.sum() for share in shares.values()], axis=0)
    assert (most > 0.3).all()


def test_parts_enter_late_end_early_and_pause() -> None:
    parts = [part for item in CLIPS for part in item.parts]
    starts = [part.notes[0].start for part in parts]
    stops = [part.notes[-1].stop for part in parts]
    assert 0.2 < np.mean(np.array(starts) > 0.25) < 0.8
    assert 0.2 < np.mean(np.array(stops) < DURATION - 0.3) < 0.8
    for part in parts:
        assert part.notes[-1].stop <= DURATION
        played = INSTRUMENTS[part.instrument]
        keys = played.keys[part.centre - played.reach : part.centre + played.reach + 1]
        assert len(keys) == 2 * played.reach + 1
        assert all(note.key in keys and note.start < note.stop for note in part.notes)


def test_a_note_sounds_where_it_is_written() -> None:
    wave = play(Program(73), [Note(69, 100, 0.5, 1.0)], SAMPLES)
    assert not wave[: SAMPLE_RATE // 2].any()
    held = wave[int(0.6 * SAMPLE_RATE) : int(0.95 * SAMPLE_RATE)]
    assert abs(_centre(held) - 440) < 15
    assert np.abs(wave[int(1.6 * SAMPLE_RATE) :]).max() < 0.05 * np.abs(held).max()


def test_a_missing_synthesiser_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "tinysoundfont":
            raise ImportError("no tinysoundfont")
        return real(name, *rest)

    synthesiser._synthesiser.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(EarwitnessError, match="needs tinysoundfont: pip install") as caught:
        render(CLIPS[0])
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(builtins, "__import__", real)
    synthesiser._synthesiser.cache_clear()
    monkeypatch.setattr(synthesiser, "SOUNDFONT", "absent.sf2")
    with pytest.raises(EarwitnessError, match=r"needs the soundfont absent\.sf2"):
        render(CLIPS[0])
    synthesiser._synthesiser.cache_clear()
