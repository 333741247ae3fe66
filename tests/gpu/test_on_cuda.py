"""What a CUDA device computes against what the CPU does: originals, explanations and values of a micro task a track.

Behind the marker `gpu`. Sums are added up in another order there, so that numbers differ by rounding, and what is
decided by a comparison (a drawn code, a transcribed word) may now and then be decided otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from earwitness import registry
from earwitness.explaining.batches import at_most
from earwitness.harness.inline import open_bench
from earwitness.precision import in_dtype
from earwitness.scoring import Setting, load
from earwitness.scoring.loading import load_model
from earwitness.submission import load_explainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
CARD, CPU, ITEMS = "cuda", "cpu", 2
PAIRS = {
    "micro_prompt": "kernel_shap",
    "micro_speech": "occlusion",
    "micro_band": "aiba",
    "micro_concept": "pca",
}
"""A task of each track, and a submission that computes with the model in float32."""
NEAR, MOST = 1e-3, 0.95
"""Numbers count as equal within this share of the largest of their array, and so many of them have to be."""


class Computed(NamedTuple):
    """What one device makes of a task."""

    originals: list[dict[str, np.ndarray]]
    explanations: list[Any]
    values: np.ndarray


def computed(name: str, device: str, folder: Path, first: Computed | None = None) -> Computed:
    """Originals of the device's own; explanations and values of those of `first`, if given, else of its own."""
    task = registry.task(name)
    scoring = load(Setting(task, ITEMS, device=device, cache=folder / device))
    own, problems = scoring.items()
    assert not problems
    items = (
        own if first is None else [item.build(item.fields(), a) for item, a in zip(own, first.originals, strict=True)]
    )
    explainer = load_explainer(registry.submission(PAIRS[name]), task.card.track)
    bench = open_bench(explainer, task, device)
    assert bench.model.device.type == device
    explanations = [bench.explainer.explain(bench.model, item) for item in items]
    scored = explanations if first is None else first.explanations
    rows = scoring.score(list(zip(items, scored, strict=True)))
    values = np.array([np.nan if v.value is None else v.value for row in rows for v in row])
    return Computed([item.arrays() for item in own], explanations, values)


def share_near(one: np.ndarray, other: np.ndarray) -> float:
    """Share of numbers that are equal within `NEAR`; of what is no number, that both are none."""
    assert one.shape == other.shape
    if not one.size:
        return 1.0
    size = np.nanmax(np.abs(one.astype(np.float64)), initial=0.0)
    return float(np.isclose(one, other, rtol=NEAR, atol=NEAR * size, equal_nan=True).mean())


@pytest.mark.parametrize("name", PAIRS)
def test_a_task_is_the_same_on_the_card_as_on_the_cpu(name: str, tmp_path: Path) -> None:
    here = computed(name, CPU, tmp_path)
    there = computed(name, CARD, tmp_path, first=here)
    for own, other in zip(here.originals, there.originals, strict=True):
        assert own.keys() == other.keys()
        assert all(share_near(own[part], other[part]) >= MOST for part in own)
    for explained, again in zip(here.explanations, there.explanations, strict=True):
        own, other = explained.arrays(), again.arrays()
        assert all(share_near(own[part], other[part]) >= MOST for part in own)
    assert share_near(here.values, there.values) >= MOST


@pytest.mark.parametrize("rows", [1, 3])
def test_a_card_answers_the_same_in_smaller_batches(rows: int, tmp_path: Path) -> None:
    whole = computed("micro_speech", CARD, tmp_path)
    with at_most(rows):
        parts = computed("micro_speech", CARD, tmp_path, first=whole)
    assert share_near(whole.values, parts.values) >= MOST


@pytest.mark.parametrize("name", ["micro_prompt", "micro_speech"])
def test_bfloat16_computes_on_the_card(name: str) -> None:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this CUDA device has no bfloat16")
    model = load_model(in_dtype(registry.task(name), "bfloat16"), CARD)
    assert torch.bfloat16 in {parameter.dtype for parameter in model.module.parameters()}
    assert model.device.type == CARD
