"""What every submission of the band track keeps to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from band_baselines import BAND_IDS, SUBMISSIONS, band_baseline, band_items, band_model
from band_fakes import fake_item
from earwitness.errors import ModelError
from earwitness.submission import read_submission

ISSUE = (
    "random all_ones low_pass_prior mean_map_prior wrong_word aiba aiba_printed daam gradient swap gradient_attention"
)
WHITE_BOX = {"gradient_attention"}
"""Submissions that read the layers of a pipeline of diffusers, which the fake model has not."""
CONTRACT_IDS = sorted(set(BAND_IDS) - WHITE_BOX)
CONTROLS = {"random", "all_ones", "low_pass_prior", "mean_map_prior", "wrong_word", "aiba_printed"}


def test_every_baseline_of_the_band_track_is_there() -> None:
    assert set(ISSUE.split()) <= set(BAND_IDS)


@pytest.mark.parametrize("name", BAND_IDS)
def test_a_band_submission_is_named_after_its_folder_and_has_a_page_that_speaks_of_the_mel_grid(name: str) -> None:
    submission = read_submission(SUBMISSIONS / name)
    assert submission.id == name
    page = (SUBMISSIONS / name / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert "mel" in page
    assert (submission.card.kind == "control") == (name in CONTROLS)


@pytest.mark.parametrize("name", CONTRACT_IDS)
def test_a_batch_gives_each_sound_the_map_it_gets_alone(name: str) -> None:
    explainer = band_baseline(name).explainer
    for item, batched in zip(band_items(), explainer.explain_batch(band_model(), band_items()), strict=True):
        batched.check(item)
        np.testing.assert_allclose(batched.maps, explainer.explain(band_model(), item).maps, atol=1e-5)


@pytest.mark.parametrize("name", CONTRACT_IDS)
@pytest.mark.parametrize("parameters", [{}, {"seeds": 3}])
def test_the_same_seed_gives_the_same_map_of_a_sound(name: str, parameters: dict[str, int]) -> None:
    own = vars(band_baseline(name).explainer)
    if not parameters.keys() <= own.keys():
        parameters = {}
    explainer, item = band_baseline(name).build(**{**own, **parameters}), band_items()[1]
    first, second = explainer.explain(band_model(), item), explainer.explain(band_model(), item)
    np.testing.assert_array_equal(first.maps, second.maps)
    other = explainer.explain(band_model(), replace(item, explainer_seed=1))
    draws = name == "random" or bool(parameters)
    assert np.array_equal(first.maps, other.maps) == (not draws)


@pytest.mark.parametrize("name", sorted(set(CONTRACT_IDS) - {"all_ones", "aiba_printed"}))
def test_every_instrument_word_gets_a_map_that_says_something(name: str) -> None:
    for item in band_items():
        found = band_baseline(name).explainer.explain(band_model(), item).instruments(item)
        assert (np.ptp(found, axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("name", sorted(set(CONTRACT_IDS) - {"wrong_word"}))
def test_a_prompt_of_one_word_gets_a_map(name: str) -> None:
    item = fake_item(band_model(), "trumpet", name="one")
    band_baseline(name).explainer.explain(band_model(), item).check(item)


@pytest.mark.parametrize("name", CONTRACT_IDS)
def test_attention_without_a_frequency_axis_gives_a_map(name: str) -> None:
    for item in band_items(has_frequency=False):
        band_baseline(name).explainer.explain(band_model(has_frequency=False), item).check(item)


def test_a_model_without_the_layers_that_are_read_is_refused_in_one_line() -> None:
    with pytest.raises(ModelError, match=r"^this denoiser has no plain cross-attention layers of diffusers.*interface"):
        band_baseline("gradient_attention").explainer.explain(band_model(), band_items()[0])
