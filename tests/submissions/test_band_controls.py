from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from band_baselines import band_baseline, band_items, band_model
from band_fakes import fake_item
from earwitness.tracks.band import BandItem


def maps_of(name: str, item: BandItem) -> np.ndarray:
    return band_baseline(name).explainer.explain(band_model(), item).instruments(item)


def test_a_random_map_is_uniform_in_every_word_whatever_its_tokens() -> None:
    item = band_items()[1]
    found = maps_of("random", item)
    assert item.named.sum(1).tolist() == [1, 2, 1]
    assert (found >= 0).all()
    assert (found < 1).all()
    # The standard error of the mean of 384 uniform cells is .015.
    np.testing.assert_allclose(found.mean((1, 2)), 0.5, atol=0.06)
    np.testing.assert_allclose(found.std((1, 2)), 12**-0.5, atol=0.04)


def test_all_ones_gives_every_word_ones() -> None:
    assert (maps_of("all_ones", band_items()[1]) == 1).all()


def test_the_low_pass_prior_falls_by_one_step_a_bin_and_never_changes_in_time() -> None:
    found = maps_of("low_pass_prior", band_items()[1])
    np.testing.assert_allclose(found[0, :, 0], np.arange(16, 0, -1) / 16)
    np.testing.assert_allclose(found, found[:1, :, :1].repeat(3, 0).repeat(24, 2))


def test_the_mean_map_prior_is_the_prior_of_each_word() -> None:
    item = band_items()[1]
    np.testing.assert_allclose(maps_of("mean_map_prior", item), item.prior, rtol=1e-6)


def test_an_item_without_a_prior_fails_in_one_line() -> None:
    item = replace(band_items()[0], prior=np.zeros_like(band_items()[0].prior))
    with pytest.raises(ValueError, match=r"^the item's prior is zero: .*$"):
        maps_of("mean_map_prior", item)


def test_a_word_without_a_prior_beside_one_with_it_gets_zeros() -> None:
    prior = band_items()[0].prior * np.array([1, 0], dtype=np.float32)[:, None, None]
    found = maps_of("mean_map_prior", replace(band_items()[0], prior=prior))
    assert found[0].any()
    assert not found[1].any()


def test_a_wrong_word_alone_fails_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^the prompt names one instrument"):
        maps_of("wrong_word", fake_item(band_model(), "a bass"))
