"""Our KernelSHAP against captum's at its best `perturbations_per_eval`: CPU seconds an item, error of the values."""

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
from earwitness.tracks.prompt import Encoded, log_likelihood

if TYPE_CHECKING:
    from earwitness.models.musicgen import MusicgenModel
    from earwitness.tracks.prompt import PromptItem

MODEL = Path(__file__).parents[2] / "tasks" / "micro_prompt" / "model"
ITEMS, COALITIONS = 6, 64


class LeastSquares:
    """The weighted linear regression that captum would ask scikit-learn for, with an intercept."""

    def fit(self, train_data: Any, **_: Any) -> dict[str, float]:
        """Solve for coefficients, from batches of (inputs [R, W], targets [R], weights [R])."""
        inputs, targets, weights = (torch.cat(parts).double() for parts in zip(*train_data, strict=True))
        columns = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.double)], dim=1)
        root = weights.flatten().sqrt()[:, None]
        self.solution = torch.linalg.lstsq(root * columns, root * targets.view(-1, 1), driver="gelsd").solution
        return {}

    def representation(self) -> torch.Tensor:
        """Coefficients [1, W]."""
        return self.solution[:-1].T


def by_captum(model: MusicgenModel, item: PromptItem, perturbations: int) -> np.ndarray:
    """Shapley values [W] of the whole sound's log-likelihood, by captum."""
    from captum.attr import KernelShap

    words = torch.as_tensor(model.words([item.prompt])[0])
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    count = int(words.max()) + 1

    def value(present: torch.Tensor) -> torch.Tensor:
        padded = torch.cat([present, present.new_zeros(len(present), 1)], dim=1)
        logits = model.logits(codes, Encoded(text.states, text.mask), padded[:, words])
        rows = codes.expand(len(present), -1, -1)
        return log_likelihood(logits, rows).sum(1)

    with torch.no_grad():
        torch.manual_seed(item.explainer_seed % 2**31)
        method = KernelShap(value)
        method.interpretable_model = LeastSquares()
        found: Any = method.attribute(
            torch.ones(1, count), baselines=0.0, n_samples=COALITIONS, perturbations_per_eval=perturbations
        )
    return found[0].double().numpy()


def by_ours(model: MusicgenModel, items: list[PromptItem], coalitions: int) -> list[np.ndarray]:
    """Shapley values [W] of the whole sound's log-likelihood, by the submission."""
    found = []
    maps = baseline("kernel_shap").build(coalitions=coalitions, average="none").explain_batch(model, items)
    for word, scores in zip(model.words([item.prompt for item in items]), maps, strict=True):
        first = [int(np.flatnonzero(word == index)[0]) for index in range(int(word.max()) + 1)]
        found.append(scores.order.sum(0)[first])
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kernel_shap_beats_captums_in_time_and_in_distance_from_exact_values() -> None:
    pytest.importorskip("captum")
    torch.set_num_threads(1)
    model = from_pretrained(str(MODEL))
    records = [r for r in scenes.load(split="validation", items=200, seed=1) if 8 <= len(r.prompt.split()) <= 10]
    items = [make_item(model, record.prompt, seed) for seed, record in enumerate(records[:ITEMS])]
    by_ours(model, items[:1], COALITIONS)
    start = time.process_time()
    ours = by_ours(model, items, COALITIONS)
    seconds = (time.process_time() - start) / len(items)
    captum: dict[int, tuple[float, list[np.ndarray]]] = {}
    for perturbations in (1, 8, 16, 32, 64):
        start = time.process_time()
        values = [by_captum(model, item, perturbations) for item in items]
        captum[perturbations] = (time.process_time() - start) / len(items), values
        print(f"\ncaptum, {perturbations} perturbations a pass: {captum[perturbations][0]:.3f} CPU s an item", end="")
    best, values = min(captum.values(), key=lambda entry: entry[0])
    exact = by_ours(model, items, 2**10)

    def distance(found: list[np.ndarray]) -> float:
        return float(np.median([np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, exact, strict=True)]))

    print(f"\nours: {seconds:.3f} CPU s an item; ratio {best / seconds:.1f}")
    print(f"median largest error over the largest value: ours {distance(ours):.3f}, captum {distance(values):.3f}")
    assert seconds < best
    assert distance(ours) <= distance(values)
