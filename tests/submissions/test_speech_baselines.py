"""What every submission of the speech track keeps to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earwitness.submission import read_submission
from earwitness.tracks.speech import SpeechMap
from speech_baselines import (
    OF_SOUND,
    ONE_STRETCH,
    SPEECH_IDS,
    SUBMISSIONS,
    cut,
    fake_items,
    fake_model,
    quick_speech,
)

ISSUE = (
    "random energy attention gradient_input integrated_gradients occlusion word_lime rise spes spes_2k spes_sigma_1 "
    "smooth_grad expected_gradients shapley_sampling attention_rollout word_times spes_gradients"
)
STOCHASTIC = (
    "random word_lime rise spes spes_2k spes_sigma_1 spes_gradients smooth_grad expected_gradients shapley_sampling"
)
DRAWS = set(STOCHASTIC.split())


def same(first: SpeechMap, second: SpeechMap) -> bool:
    return all(np.array_equal(first.arrays()[name], second.arrays()[name]) for name in first.arrays())


def test_every_baseline_of_the_speech_track_is_there() -> None:
    assert set(ISSUE.split()) <= set(SPEECH_IDS)


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_a_speech_submission_is_named_after_its_folder_and_has_a_page_that_speaks_of_speech(name: str) -> None:
    assert read_submission(SUBMISSIONS / name).id == name
    page = (SUBMISSIONS / name / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert "spectrogram" in page


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_a_batch_gives_each_utterance_the_map_it_gets_alone(name: str) -> None:
    explainer = quick_speech(name)
    for item, batched in zip(fake_items(), explainer.explain_batch(fake_model(), fake_items()), strict=True):
        batched.check(item)
        alone = explainer.explain(fake_model(), item)
        np.testing.assert_allclose(batched.spectrogram, alone.spectrogram, atol=1e-5)
        np.testing.assert_allclose(batched.prefix, alone.prefix, atol=1e-5)


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_the_same_seed_gives_the_same_map_of_speech(name: str) -> None:
    explainer, item = quick_speech(name), fake_items()[0]
    first, second = explainer.explain(fake_model(), item), explainer.explain(fake_model(), item)
    assert same(first, second)
    other = explainer.explain(fake_model(), replace(item, explainer_seed=1))
    assert same(first, other) == (name not in DRAWS)


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_the_map_says_something_of_every_token_and_of_its_context(name: str) -> None:
    for item in fake_items():
        found = quick_speech(name).explain(fake_model(), item)
        assert (np.ptp(found.spectrogram, axis=(1, 2)) > 0.5).all()
        assert found.prefix[-1].any() == (name not in OF_SOUND)


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_a_hypothesis_of_one_token_gets_a_map(name: str) -> None:
    item = cut(fake_items()[0], tokens=1)
    found = quick_speech(name).explain(fake_model(), item)
    found.check(item)
    assert found.prefix.tolist() == [[0.0]]
    if name not in ONE_STRETCH:
        assert np.ptp(found.spectrogram) > 0.5


@pytest.mark.parametrize("name", SPEECH_IDS)
@pytest.mark.parametrize("frames", [1, 2])
def test_an_utterance_of_a_frame_or_two_gets_a_map(name: str, frames: int) -> None:
    item = cut(fake_items()[0], frames=frames)
    quick_speech(name).explain(fake_model(), item).check(item)


@pytest.mark.parametrize("name", SPEECH_IDS)
def test_a_silent_utterance_gets_a_map(name: str) -> None:
    item = fake_items()[0]
    silent = replace(item, features=np.zeros_like(item.features))
    quick_speech(name).explain(fake_model(), silent).check(silent)


@pytest.mark.parametrize("name", [name for name in SPEECH_IDS if hasattr(quick_speech(name), "batch")])
def test_the_size_of_a_pass_changes_no_map(name: str) -> None:
    explainer, item = quick_speech(name), fake_items()[1]
    maps = []
    for batch in (7, 64):
        explainer.batch = batch  # type: ignore[attr-defined]
        maps.append(explainer.explain(fake_model(), item))
    np.testing.assert_allclose(maps[0].spectrogram, maps[1].spectrogram, atol=1e-4)
    np.testing.assert_allclose(maps[0].prefix, maps[1].prefix, atol=1e-4)
