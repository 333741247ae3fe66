"""Sounds without cells of a spectrogram."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank

from earwitness import registry
from earwitness.exhibits.gating import centres, without
from earwitness.models import speech2text
from earwitness.models.mel_vocoder import mel_filters
from earwitness.scoring.loading import load_model

RATE, FRAMES, BINS, FRAME_RATE = 16000, 100, 20, 100.0
HZ = np.linspace(100.0, 7600.0, BINS)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=RATE).astype(np.float32)


def test_the_sweep_finds_the_centres_of_the_filters_that_a_model_was_trained_with() -> None:
    task = registry.task("micro_speech")
    model = speech2text.from_pretrained(task.source(task.card.model.source))
    filters = mel_filter_bank(
        num_frequency_bins=4001, num_mel_filters=model.bins, min_frequency=20, max_frequency=8000, sampling_rate=RATE,
        norm=None, mel_scale="kaldi", triangularize_in_mel_space=True,
    )  # fmt: skip
    np.testing.assert_allclose(centres(model.features, model.sample_rate), 2.0 * filters.argmax(0), rtol=0.02)


def test_the_sweep_finds_the_centres_of_the_filters_of_a_diffusion_model() -> None:
    model = load_model(registry.task("micro_band"), "cpu")
    filters = mel_filters(model._shape).numpy()
    heard = centres(lambda audio: model.mel(torch.from_numpy(audio[None]))[0].numpy().T, model.sample_rate)
    known = filters.max(0) > 0
    width = model.sample_rate / 2 / (len(filters) - 1)
    assert known.sum() > 50
    # A frame of the sweep is 32 Hz wide.
    np.testing.assert_allclose(heard[known], width * filters.argmax(0)[known], rtol=0.02, atol=32)


def test_what_is_left_without_some_cells_and_without_all_others_is_the_sound() -> None:
    gone = np.random.default_rng(1).random((FRAMES, BINS)) < 0.3
    both = without(noise(), RATE, gone, FRAME_RATE, HZ) + without(noise(), RATE, ~gone, FRAME_RATE, HZ)
    np.testing.assert_allclose(both, noise(), atol=1e-6)


@pytest.mark.parametrize(("bin_gone", "left"), [(10, 0.0), (3, 1.0)])
def test_a_tone_goes_with_its_own_bin_alone(bin_gone: int, left: float) -> None:
    tone = np.sin(2 * np.pi * HZ[10] * np.arange(RATE) / RATE)
    gone = np.zeros((FRAMES, BINS), dtype=bool)
    gone[:, bin_gone] = True
    found = without(tone, RATE, gone, FRAME_RATE, HZ)
    inner = slice(RATE // 10, -RATE // 10)
    assert found[inner].std() / tone[inner].std() == pytest.approx(left, abs=0.1)


def test_what_is_silenced_is_silent_in_its_own_time() -> None:
    gone = np.zeros((FRAMES, BINS), dtype=bool)
    gone[50:] = True
    found = without(noise(), RATE, gone, FRAME_RATE, HZ)
    late, early = slice(round(0.53 * RATE), None), slice(0, round(0.47 * RATE))
    assert np.abs(found[late]).max() < 1e-6
    np.testing.assert_allclose(found[early], noise()[early], atol=1e-6)
