"""What explainers of the prompt track share, against the same figures made one pass at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from baselines import tiny_items, tiny_model
from earwitness.explaining.attention_gradients import forced_likelihood, gradient_weighted
from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.explaining.state_gradients import state_attributions
from earwitness.explaining.token_maps import relevance_map, scores_in_batches
from earwitness.tracks.prompt import Encoded, PromptItem, Removal, log_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence


def likelihood(item: PromptItem, mask: np.ndarray, removal: Removal = Removal.SCALE) -> torch.Tensor:
    """Log-likelihood [F] of one item's codes under one token mask [N]."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    given = torch.as_tensor(mask, dtype=torch.float32)[None]
    return log_likelihood(model.logits(codes, model.encode([item.prompt]), given, removal), codes)[0]


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("removal", list(Removal))
@torch.no_grad()
def test_likelihoods_of_many_masks_are_those_of_each_alone(removal: Removal, batch: int) -> None:
    items, rng = tiny_items()[:3], np.random.default_rng(0)
    masks = [rng.random((count, len(item.tokens))) for count, item in zip((2, 4, 1), items, strict=True)]
    shared = masked_likelihoods(tiny_model(), items, masks, removal, batch)
    for item, rows, values in zip(items, masks, shared, strict=True):
        alone = torch.stack([likelihood(item, mask, removal) for mask in rows])
        np.testing.assert_allclose(values, alone.numpy(), atol=1e-4)
        assert values.dtype == np.float64


def test_the_gradient_of_attention_is_cut_at_zero_and_averaged_over_heads() -> None:
    attention = torch.tensor([[[[0.25, 0.75]], [[0.5, 0.5]]]], requires_grad=True)
    weights = torch.tensor([[[[4.0, -4.0]], [[2.0, 2.0]]]])
    (found,) = gradient_weighted((weights * attention).sum(), [attention])
    # Head 1: [1, -3] cut to [1, 0]; head 2: [1, 1].
    assert found.tolist() == [[[1.0, 0.5]]]


def test_the_forced_likelihood_is_the_sum_of_the_items_without_special_tokens() -> None:
    items = tiny_items()
    total, attentions = forced_likelihood(tiny_model(), items)
    alone = sum(likelihood(item, ~item.special).sum() for item in items)
    torch.testing.assert_close(total, alone, rtol=1e-4, atol=1e-3)
    assert {layer.shape[0] for layer in attentions} == {len(items)}


def test_state_attributions_of_one_point_are_gradient_times_input() -> None:
    items, model = tiny_items()[:3], tiny_model()
    found = state_attributions(model, items, torch.ones(1), window=4)
    for item, rows in zip(items, found, strict=True):
        text, codes = model.encode([item.prompt]), torch.as_tensor(item.codes)[None]
        states = text.states.clone().requires_grad_()
        mask = torch.as_tensor(~item.special, dtype=torch.float32)[None]
        window = log_likelihood(model.logits(codes, Encoded(states, text.mask), mask), codes)[0, 4:8].sum()
        (gradient,) = torch.autograd.grad(window, states)
        expected = (gradient * states.detach()).sum(-1)[0].numpy()
        np.testing.assert_allclose(rows[4:8, : len(item.tokens)], np.tile(expected, (4, 1)), rtol=1e-3, atol=1e-5)


def test_scores_are_asked_for_in_batches_and_leave_special_tokens_and_padding_out() -> None:
    items = [
        SimpleNamespace(special=np.array([False] * count + [True]), tokens=("t",) * (count + 1)) for count in (1, 2, 3)
    ]
    asked = []

    def ones(batch: Sequence[PromptItem]) -> np.ndarray:
        asked.append(len(batch))
        return np.ones((len(batch), 2, 6))

    scores = list(scores_in_batches(items, 2, ones))  # type: ignore[arg-type]
    assert asked == [2, 1]
    assert [rows.tolist() for rows in scores] == [[[1.0] * count + [0.0]] * 2 for count in (1, 2, 3)]


def test_a_map_of_no_relevance_is_zero() -> None:
    assert relevance_map(np.zeros((2, 3))).weights.tolist() == [[0.0] * 3] * 2
