"""Explainers of the band track that read attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from band_baselines import band_baseline, band_items, band_model
from band_fakes import PLACES
from earwitness.tracks.band import AttentionSums, BandItem, BandMap, attended, generate


def maps_of(name: str, item: BandItem, **parameters: object) -> np.ndarray:
    found: np.ndarray = band_baseline(name).build(**parameters).explain(band_model(), item).instruments(item)
    return found


def distances(item: BandItem, found: np.ndarray) -> np.ndarray:
    """[I, I]: how far the largest cell of each word's map lies from the place of each instrument, in halves of axes."""
    tops = np.array([np.unravel_index(each.argmax(), each.shape) for each in found])
    at = (tops + 0.5) / item.mel.shape
    places = np.array([PLACES[name][::-1] for name in item.instruments])
    return np.asarray(np.abs(at[:, None] - places).max(-1))


@pytest.mark.parametrize("name", ["aiba", "daam"])
def test_the_map_of_a_word_points_to_where_the_word_attends(name: str) -> None:
    for item in band_items():
        apart = distances(item, maps_of(name, item))
        assert (np.diag(apart) < 0.1).all()
        assert (apart.argmin(1) == np.arange(len(apart))).all()


def test_the_wrong_words_map_points_to_where_the_next_instrument_attends() -> None:
    for item in band_items():
        apart = distances(item, maps_of("wrong_word", item))
        assert (apart.argmin(1) == (np.arange(len(apart)) + 1) % len(apart)).all()


def test_the_wrong_words_map_is_aibas_of_another_word_but_for_its_scale() -> None:
    item = band_items()[1]
    own = BandMap(maps=attended(band_model(), item)).instruments(item)
    np.testing.assert_allclose(maps_of("wrong_word", item), own[[1, 2, 0]], rtol=1e-6)


def test_the_printed_form_of_aiba_is_constant_and_ours_is_not() -> None:
    for item in band_items():
        tokens = attended(band_model(), item)
        np.testing.assert_allclose(tokens.mean(0), 1 / len(item.tokens), atol=1e-6)
        for found in maps_of("aiba_printed", item):
            assert np.ptp(found) == 0
            assert found[0, 0] == pytest.approx(1 / len(item.tokens), abs=1e-6)
        assert (np.ptp(maps_of("aiba", item), axis=(1, 2)) > 0.1).all()


def test_aibas_maps_go_from_0_to_1() -> None:
    for item in band_items():
        ours = maps_of("aiba", item)
        np.testing.assert_allclose(ours.min((1, 2)), 0, atol=1e-12)
        np.testing.assert_allclose(ours.max((1, 2)), 1, rtol=1e-6)


def test_aiba_by_hand_of_one_layer_on_the_latent_grid() -> None:
    item = band_items()[0]
    seen = AttentionSums()
    generate(band_model(), item, record=seen)
    attention = seen.means()[1][0].mean(0)[..., 1]  # the second layer's, on "bass"
    found = BandMap(maps=attended(band_model(), item, [1])).instruments(item)[0]
    assert attention.shape == (6, 4)
    # Enlarged four times, the centre of cell (t, m) lies between cells 4 m + 1 and 4 m + 2, 4 t + 1 and 4 t + 2.
    centres = found.reshape(4, 4, 6, 4)[:, 1:3, :, 1:3].mean((1, 3))
    inner = np.s_[1:3, 1:5]
    smoothed = torch.nn.functional.conv2d(
        attention[None, None], torch.outer(*[torch.tensor([1.0, 14.0, 1.0]) / 16] * 2)[None, None]
    )[0, 0]
    np.testing.assert_allclose(centres[inner], smoothed.numpy().T, rtol=1e-4)


@pytest.mark.parametrize("name", ["aiba", "daam"])
def test_all_layers_are_the_sum_of_each(name: str) -> None:
    item = band_items()[0]

    def raw(*layers: int) -> np.ndarray:
        if name == "aiba":  # before it is brought to [0, 1]
            return BandMap(maps=attended(band_model(), item, layers)).instruments(item)
        return maps_of(name, item, layers=layers)

    scale = 2 if name == "aiba" else 1
    np.testing.assert_allclose(scale * raw(), raw(0) + raw(1), rtol=1e-5)
    assert not np.allclose(raw(0), raw(1), rtol=0.1)


@pytest.mark.parametrize("name", ["aiba", "daam", "wrong_word"])
def test_a_layer_that_the_model_has_not_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"^layers must be among 0 to 1; found \[2\]$"):
        maps_of(name, band_items()[0], layers=[0, 2])


def test_daam_clamps_what_bicubic_resizing_undershoots() -> None:
    attention = torch.zeros(1, 6, 4, 1)
    attention[0, 3, 2] = 1
    found = band_baseline("daam").module.heat(attention, (16, 24))[0]
    unclamped = torch.nn.functional.interpolate(attention.permute(0, 3, 2, 1), (16, 24), mode="bicubic")
    assert unclamped.min() < -0.01
    assert found.min() == 0
    top = divmod(int(found.argmax()), 24)
    assert top[0] in {9, 10}
    assert top[1] in {13, 14}


def test_daam_adds_up_heads_and_steps() -> None:
    item = band_items()[0]
    seen = AttentionSums()
    generate(band_model(), item, record=seen)
    found = band_baseline("daam").explainer.explain(band_model(), item).maps
    assert set(seen.counts.values()) == {round(item.strength * band_model().steps)}
    # Each place shares 1 among all tokens, for each head, layer and step; clamping adds where it undershoots.
    heads, layers, steps = 2, 2, seen.counts[0]
    np.testing.assert_allclose(np.median(found.sum(0)), heads * layers * steps, rtol=0.02)
