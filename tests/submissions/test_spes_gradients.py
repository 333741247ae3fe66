"""SPES by gradients, against slow code and against the differences that SPES takes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from earwitness.explaining.spes import divergences
from earwitness.tracks.speech import utterance_mean
from speech_baselines import cut, fake_items, fake_model, speech_baseline

FEW = {"masks": 14, "prefix_masks": 9, "segments": (60, 90)}


def drawn_masks(explainer: Any, item: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and masks of each granularity, as they are drawn one after the other, and then those of the context."""
    rng = np.random.default_rng(item.explainer_seed)
    found = [
        (labels, np.concatenate(list(explainer.draw(rng, masks, labels.max() + 1, explainer.p))))
        for labels, masks in zip(explainer.superpixels(item.features), explainer.shares(), strict=True)
    ]
    count = len(item.tokens)
    context = np.concatenate(list(explainer.draw(rng, explainer.prefix_masks, count, explainer.prefix_p)))
    return [*found, (np.arange(count), context)]


def of_sides(bits: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Half the mean of slopes [R, O, U] over the masks [R, U] that drop a unit and half that over the others."""
    effects = np.zeros(slopes.shape[1:])
    for unit, side in product(range(bits.shape[1]), (False, True)):
        effects[:, unit] += slopes[bits[:, unit] == side, :, unit].sum(0) / max(1, (bits[:, unit] == side).sum()) / 2
    return effects


def test_effects_are_those_of_a_loop_over_masks_tokens_and_superpixels() -> None:
    item, explainer = cut(fake_items()[0], tokens=3), speech_baseline("spes_gradients").build(**FEW)
    model, tokens = fake_model(), torch.as_tensor(item.tokens)[None]
    features, mean = torch.as_tensor(item.features), torch.as_tensor(utterance_mean(item.features))
    original = model.logits(features[None], tokens)[0].double().log_softmax(-1)
    *granularities, (_, context) = drawn_masks(explainer, item)
    expected = np.zeros((3, *item.features.shape))
    for labels, bits in granularities:
        slopes = np.zeros((len(bits), 3, bits.shape[1]))
        for mask, k in product(range(len(bits)), range(3)):
            rows = torch.where(torch.as_tensor(bits[mask][labels]), mean, features)[None].requires_grad_()
            (slope,) = torch.autograd.grad(divergences(original, model.logits(rows, tokens))[0, k], rows)
            by_cell = (slope[0] * (mean - features)).double().numpy()
            slopes[mask, k] = np.bincount(labels.ravel(), by_cell.ravel(), bits.shape[1])
        expected += of_sides(bits, slopes)[:, labels] / len(granularities)
    slopes = np.zeros((len(context), 3, 3))
    for mask, k in product(range(len(context)), range(3)):
        kept = torch.as_tensor(~context[mask], dtype=torch.float32)[None].requires_grad_()
        moved = divergences(original, model.logits(features[None], tokens, kept))[0, k]
        (slope,) = torch.autograd.grad(moved, kept, materialize_grads=True)
        slopes[mask, k] = -slope[0].double().numpy()
    rng = np.random.default_rng(item.explainer_seed)
    cells = explainer._cells(model, item, original, rng, 4)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(cells, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(
        explainer._context(model, item, original, rng, 4), np.tril(of_sides(context, slopes), -1), atol=1e-6
    )


def test_over_all_masks_effects_are_spes_differences_where_divergences_are_quadratic() -> None:
    generator = torch.Generator().manual_seed(0)
    bend, lean = torch.randn(2, 5, 5, generator=generator), torch.randn(2, 5, generator=generator)

    def asked(dropped: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bu,kuv,bv->bk", dropped, bend, dropped) + dropped @ lean.T

    masks = np.array(list(product((False, True), repeat=5)))
    answers = asked(torch.as_tensor(masks, dtype=torch.float32)).numpy()
    differences = [answers[masks[:, unit]].mean(0) - answers[~masks[:, unit]].mean(0) for unit in range(5)]
    found = speech_baseline("spes_gradients").module.effects(asked, [masks], (2, 5), 3, torch.device("cpu"))
    np.testing.assert_allclose(found, np.transpose(differences), atol=1e-5)


def test_a_unit_that_no_mask_drops_has_half_the_slope_of_those_that_keep_it() -> None:
    effects = speech_baseline("spes_gradients").module.effects
    found = effects(lambda dropped: dropped * 2, [np.array([[False], [False]])], (1, 1), 2, torch.device("cpu"))
    assert found.tolist() == [[1.0]]


@pytest.mark.parametrize("rows", [1, 5, 32])
def test_the_map_is_the_same_whatever_fits_into_a_pass(rows: int) -> None:
    item, explainer = fake_items()[1], speech_baseline("spes_gradients").build(**FEW)
    whole = explainer.explain(fake_model(), item)
    original = fake_model().logits(torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None])
    original = original[0].double().log_softmax(-1)
    rng = np.random.default_rng(item.explainer_seed)
    cells = explainer._cells(fake_model(), item, original, rng, rows)
    again = explainer._cells(fake_model(), item, original, np.random.default_rng(item.explainer_seed), 14)
    np.testing.assert_allclose(cells, again, atol=1e-6 * np.abs(again).max())
    assert whole.spectrogram.shape == (len(item.tokens), *item.features.shape)
    assert np.array_equal(whole.prefix, np.tril(whole.prefix, -1))
