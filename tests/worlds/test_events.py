"""What worlds of sounds share: levels and times that are told apart, classes that sound without a gap."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.worlds.events import DURATION, HALF, LEVELS, SAMPLES, STARTS, STOPS, place
from earwitness.worlds.sounds import LABELS, draw, synthesise


def test_loud_and_quiet_are_at_least_14_db_apart_and_the_unsaid_lies_between() -> None:
    assert LEVELS["loud"][0] - LEVELS["quiet"][1] >= 14
    assert LEVELS["quiet"][1] < LEVELS[None][0] < LEVELS[None][1] < LEVELS["loud"][0]


def test_early_ends_and_late_begins_at_the_middle_and_what_is_neither_lasts() -> None:
    assert STOPS["early"][1] < HALF <= STARTS["late"][0]
    assert STARTS[None] == STARTS["early"]
    assert STOPS[None] == STOPS["late"]
    assert STOPS["late"][1] == DURATION


@pytest.mark.parametrize("time", ["early", "late", None])
@pytest.mark.parametrize("loudness", ["loud", "quiet", None])
def test_a_place_lies_where_time_and_loudness_say(time: str | None, loudness: str | None) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        for value, (low, high) in zip(
            place(rng, time, loudness), (STARTS[time], STOPS[time], LEVELS[loudness]), strict=True
        ):
            assert low <= value <= high


@pytest.mark.parametrize("label", LABELS)
def test_every_class_sounds_in_every_quarter_second(label: str) -> None:
    rng = np.random.default_rng(3)
    wave = synthesise(label, draw(label, rng), SAMPLES, rng)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(1.0)
    quarters = wave[: SAMPLES // 4 * 4].reshape(4, -1)
    assert (np.sqrt((quarters**2).mean(1)) > 0.3).all()
