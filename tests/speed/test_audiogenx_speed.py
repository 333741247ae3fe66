"""Our AudioGenX against the procedure its authors released: CPU seconds an item, and the objective each reaches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from baselines import baseline, make_item
from earwitness.datasets import scenes
from earwitness.models.musicgen import from_pretrained

if TYPE_CHECKING:
    from earwitness.models.musicgen import MusicgenModel
    from earwitness.tracks.prompt import PromptItem

MODEL = Path(__file__).parents[2] / "tasks" / "micro_prompt" / "model"
ITEMS = 8


def measure(explainer: Any, model: MusicgenModel, items: list[PromptItem]) -> tuple[float, list[np.ndarray]]:
    """CPU seconds an item, and the maps [F, N]."""
    start = time.process_time()
    maps = explainer.explain_batch(model, items)
    return (time.process_time() - start) / len(items), [found.weights for found in maps]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_audiogenx_beats_its_released_procedure_in_time_and_objective() -> None:
    torch.set_num_threads(1)
    model = from_pretrained(str(MODEL))
    records = scenes.load(split="validation", items=ITEMS, seed=1)
    items = [make_item(model, record.prompt, seed) for seed, record in enumerate(records)]
    ours: Any = baseline("audiogenx_15_epochs").build(average="none", epochs=15, lr=1e-2)
    published: Any = baseline("audiogenx").build(average="none", epochs=50, lr=1e-3)
    released: Any = baseline("audiogenx").build(average="none", procedure="released", epochs=50, lr=1e-3)
    ours.explain_batch(model, items[:1])
    seconds, objective = {}, {}
    for name, explainer in (("ours", ours), ("ours at equal epochs", published), ("released", released)):
        seconds[name], masks = measure(explainer, model, items)
        objective[name] = published.objectives(model, items, masks)
        print(f"\n{name}: {seconds[name]:.3f} CPU s an item, median objective {np.median(objective[name]):.2f}", end="")
    for name in ("ours at equal epochs", "ours"):
        print(f"\nratio of time, released over {name}: {seconds['released'] / seconds[name]:.1f}", end="")
    assert (objective["ours"] <= objective["released"]).mean() > 0.5
    assert np.median(objective["ours"]) <= np.median(objective["released"])
    assert seconds["released"] > 2 * seconds["ours at equal epochs"]
