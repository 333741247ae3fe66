"""Occlusion and AtMan against the same readings made one pass at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines import baseline, tiny_items, tiny_model
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


def test_atman_is_the_fall_of_likelihood_with_a_token_turned_down() -> None:
    item = tiny_items()[0]
    text = np.where(item.special, 0.0, 1.0)
    quiet = text.copy()
    quiet[1] = 0.1
    fall = likelihood(item, text, Removal.RENORMALISE) - likelihood(item, quiet, Removal.RENORMALISE)
    found = baseline("atman").build(average="none").explain(tiny_model(), item)
    np.testing.assert_allclose(found.order[:, 1], fall, atol=1e-4)


def test_turning_attention_down_to_nothing_is_occlusion_of_the_token() -> None:
    item = tiny_items()[0]  # every word is one token
    none_left = baseline("atman").build(left=0.0, removal="scale").explain(tiny_model(), item)
    occluded = baseline("occlusion").build(removal="scale").explain(tiny_model(), item)
    np.testing.assert_allclose(none_left.weights, occluded.weights, atol=1e-6)
