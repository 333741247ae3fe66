"""Occlusion and AtMan against the same readings made one pass at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baselines import baseline, tiny_items, tiny_model
from earwitness.errors import ExplainerFailedError
from earwitness.explaining.attention_suppression import SuppressedModel, suppressed
from earwitness.models import masked_attention
from earwitness.tracks.prompt import PromptItem, Removal


def likelihood(item: PromptItem, mask: np.ndarray, removal: Removal) -> np.ndarray:
    """Log-likelihood [F] of the item's codes under a token mask [N]."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text, given = model.encode([item.prompt]), torch.as_tensor(mask, dtype=torch.float32)[None]
    probabilities = model.logits(codes, text, given, removal)[0].double().softmax(-1).numpy()
    frames = np.arange(codes.shape[-1])
    return sum(np.log(probabilities[k, frames, item.codes[k]]) for k in range(len(item.codes)))


@pytest.mark.parametrize("removal", [Removal.SCALE, Removal.RENORMALISE])
def test_occlusion_is_the_fall_of_likelihood_without_the_tokens_word(removal: Removal) -> None:
    item = tiny_items()[2]
    words = tiny_model().words([item.prompt])[0]
    whole = likelihood(item, words >= 0, removal)
    falls = [
        whole - likelihood(item, (words >= 0) & (words != word), removal) if word >= 0 else 0 * whole for word in words
    ]
    found = baseline("occlusion").build(removal=removal.value, average="none").explain(tiny_model(), item)
    np.testing.assert_allclose(found.order, np.stack(falls, axis=1), atol=1e-4)
    np.testing.assert_allclose(found.weights, found.order.clip(min=0) / found.order.max(), atol=1e-12)


def scored(item: PromptItem, token: int | None, left: float) -> np.ndarray:
    """Log-likelihood [F] where a token's score, less its row's least, is multiplied by `left` before the softmax."""

    def attended(query, key, value, bias, masking):
        scores = query @ key.transpose(2, 3)
        scores = scores - scores.min(-1, keepdim=True).values
        if token is not None:
            scores[..., token] *= left
        return scores.softmax(-1) @ value, scores

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masked_attention, "attended", attended)
        return likelihood(item, np.ones(len(item.tokens)), Removal.SCALE)


@pytest.mark.parametrize("left", [0.1, 0.6])
def test_atman_is_the_fall_of_likelihood_with_a_tokens_shifted_score_multiplied(left: float) -> None:
    item = tiny_items()[0]
    whole = scored(item, None, left)
    falls = [whole - scored(item, token, left) for token in np.flatnonzero(~item.special)]
    found = baseline("atman").build(left=left, average="none").explain(tiny_model(), item)
    assert np.abs(falls).max() > 1e-2
    np.testing.assert_allclose(found.order[:, ~item.special].T, falls, atol=1e-4)


def test_padding_is_not_the_least_of_a_row_and_gets_no_attention() -> None:
    scores = torch.tensor([1.0, 3.0, 2.0, -9.0])[None, None, None]
    alone = suppressed(scores[..., :3], torch.tensor([1.0, 1.0, 0.2]))
    padded = suppressed(scores, torch.tensor([1.0, 1.0, 0.2, 0.0]))
    torch.testing.assert_close(padded[..., :3], alone)
    assert padded[..., 3].item() == 0


def test_a_model_whose_tokens_are_left_alone_is_the_model_and_stays_it() -> None:
    model, item = tiny_model(), tiny_items()[0]
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    plain, view = model.logits(codes, text), SuppressedModel(model)
    torch.testing.assert_close(view.logits(codes, text, text.mask.float()), plain, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(view.logits(codes, text, 0.1 * text.mask), plain, atol=1e-2)
    torch.testing.assert_close(model.logits(codes, text), plain, rtol=0, atol=0)


def test_a_model_without_cross_attention_is_said_to_have_none() -> None:
    bare = SuppressedModel(SimpleNamespace(module=torch.nn.Linear(2, 2)))
    with pytest.raises(ExplainerFailedError, match="nothing to suppress"):
        bare.logits(torch.zeros(1, 1, 1), None, torch.ones(1, 2))
