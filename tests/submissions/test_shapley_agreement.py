"""What was decided by agreement with exact Shapley values on validation captions of micro_prompt, and those figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from baselines import baseline, make_item
from earwitness.authoring.prompt.shapley import game, shapley
from earwitness.datasets import scenes
from earwitness.metrics.agreement import shapley_spearman
from earwitness.models.musicgen import from_pretrained

if TYPE_CHECKING:
    from earwitness.models.musicgen import MusicgenModel
    from earwitness.tracks.prompt import PromptItem

MODEL = Path(__file__).parents[2] / "tasks" / "micro_prompt" / "model"
ITEMS = 16


def agreement(explainer: Any, model: MusicgenModel, items: list[PromptItem], truth: list[np.ndarray]) -> np.ndarray:
    """Each item's Spearman correlation of its words' weights with their Shapley values."""
    found = []
    for item, each, values in zip(items, explainer.explain_batch(model, items), truth, strict=True):
        owner, weights = model.words([item.prompt])[0], each.framewise(item.codes.shape[1])[0].mean(0)
        words = [weights[owner == word].sum() for word in range(owner.max() + 1)]
        found.append(shapley_spearman(words, values))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_special_tokens_in_audiogenxs_masks_bring_its_published_settings_nearer_to_shapley_values() -> None:
    torch.set_num_threads(1)
    model = from_pretrained(str(MODEL))
    records = scenes.load(split="validation", items=ITEMS, seed=1)
    items = [make_item(model, record.prompt, seed) for seed, record in enumerate(records)]
    truth = [shapley(game(model, item)) for item in items]
    large, audiogenx = {"epochs": 15, "lr": 1e-2}, baseline("audiogenx").build
    explainers = {
        "audiogenx": audiogenx(),
        "audiogenx, special tokens out": audiogenx(special=False),
        "audiogenx_15_epochs": audiogenx(**large),
        "audiogenx_15_epochs, special tokens out": audiogenx(**large, special=False),
        "audiogenx, released": audiogenx(procedure="released"),
    } | {name: baseline(name).explainer for name in ("atman", "grad_cam", "gradient_attention", "occlusion", "random")}
    found = {name: agreement(explainer, model, items, truth) for name, explainer in explainers.items()}
    for name, values in found.items():
        print(f"\n{name}: {values.mean():.3f}, of the first 8 {values[:8].mean():.3f}", end="")
    gain = found["audiogenx"] - found["audiogenx, special tokens out"]
    print(f"\nspecial tokens in: {gain.mean():+.3f}, twice its standard error {2 * gain.std(ddof=1) / ITEMS**0.5:.3f}")
    assert gain.mean() > 0
