"""Estimators of factors: hand-made sounds of known factors, and the clips of the tones world."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from earwitness.worlds.estimators import ESTIMATORS, attack, brightness, estimate, loudness, pitch
from earwitness.worlds.tones import FACTORS, SAMPLE_RATE, render, tone

CLIPS = 36
# Rank correlation at least, median error at most, in the units of each factor.
RECOVERED = {"pitch": (0.95, 0.1), "loudness": (0.999, 0.01), "brightness": (0.99, 0.02), "attack": (0.99, 0.02)}


def sine(hertz: float, seconds: float = 1.0, rate: int = SAMPLE_RATE) -> np.ndarray:
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), dtype=np.float32)


@pytest.fixture(scope="module")
def recovered() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    tones = [tone("test", index) for index in range(CLIPS)]
    found = [estimate(render(made), SAMPLE_RATE) for made in tones]
    return {
        name: (np.array([made.factors[name] for made in tones]), np.array([each[name] for each in found]))
        for name in FACTORS
    }


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_that_was_drawn_is_recovered_from_the_sound(
    name: str, recovered: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    drawn, found = recovered[name]
    correlation, error = RECOVERED[name]
    assert np.isfinite(found).all()
    assert spearmanr(drawn, found)[0] > correlation
    assert np.median(np.abs(drawn - found)) < error


def test_every_factor_of_the_world_has_an_estimator() -> None:
    assert set(FACTORS) <= set(ESTIMATORS)


def test_the_pitch_of_a_above_middle_c_is_69_at_any_rate() -> None:
    assert pitch(sine(440), SAMPLE_RATE) == pytest.approx(69, abs=0.1)
    assert pitch(sine(440, 0.5, 24_000), 24_000) == pytest.approx(69, abs=0.1)


def test_silence_has_no_pitch_no_brightness_and_no_attack() -> None:
    silence = np.zeros(8_000, dtype=np.float32)
    assert np.isnan([pitch(silence, SAMPLE_RATE), brightness(silence, SAMPLE_RATE), attack(silence, SAMPLE_RATE)]).all()
    assert loudness(silence, SAMPLE_RATE) == -120


def test_noise_has_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8_000)
    assert np.isnan(pitch(noise.astype(np.float32), SAMPLE_RATE))


def test_the_loudness_of_a_sine_of_amplitude_a_half_is_9_db_below_full_scale() -> None:
    assert loudness(sine(440), SAMPLE_RATE) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-3)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_the_brightness_of_a_sine_is_its_octaves_above_1_khz_whatever_its_level_and_pauses(rate: int) -> None:
    wave = sine(2_000, rate=rate)
    assert brightness(wave, rate) == pytest.approx(1, abs=0.01)
    assert brightness(np.concatenate([wave / 50, np.zeros_like(wave)]), rate) == pytest.approx(1, abs=0.02)


def test_a_clip_that_is_shorter_than_a_window_has_a_brightness() -> None:
    assert brightness(sine(2_000, 0.03), SAMPLE_RATE) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.25])
def test_the_attack_of_a_linear_rise_is_eight_tenths_of_it(seconds: float) -> None:
    ramp = np.minimum(np.arange(SAMPLE_RATE) / (seconds * SAMPLE_RATE), 1)
    wave = np.concatenate([np.zeros(3_000), ramp * sine(440)]).astype(np.float32)
    assert 10 ** attack(wave, SAMPLE_RATE) == pytest.approx(0.8 * seconds, rel=0.05)


def test_a_clip_that_starts_at_its_full_level_has_the_attack_of_the_smoothing_at_most() -> None:
    assert 10 ** attack(sine(440), SAMPLE_RATE) <= 0.02


def test_only_the_factors_that_are_asked_for_are_estimated() -> None:
    assert list(estimate(sine(440), SAMPLE_RATE, ("loudness", "brightness"))) == ["loudness", "brightness"]
