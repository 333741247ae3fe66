"""Our TopK's training against the bare matrix products of its shapes, and against sae-lens: tokens a CPU second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from concept_fakes import FakeConceptModel, fake_item, planted
from earwitness.explaining.latents import scaled
from earwitness.explaining.sparse import SparseAutoencoder
from earwitness.explaining.training import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, FEATURES, K, BATCH, STEPS, ROUNDS = 48, 384, 8, 1024, 40, 9


def tokens_per_second(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median over rounds in which the sides take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, run in sides.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: BATCH * STEPS / float(np.median(found)) for name, found in seconds.items()}


def frames() -> np.ndarray:
    item = fake_item(FakeConceptModel(WIDTH), planted(WIDTH, BATCH, STEPS, seed=5))
    return scaled(item).frames


def ours(given: np.ndarray) -> Callable[[], object]:
    """An epoch of a dictionary that has been trained before: batches, steps, schedule and all."""
    model = SparseAutoencoder(FEATURES, WIDTH, K, seed=0).fit(given, Plan(epochs=2, batch=BATCH, rate=4e-3))
    return lambda: model.fit(given, Plan(epochs=1, batch=BATCH, rate=1e-3))


def bare(given: np.ndarray) -> Callable[[], object]:
    """Encoder forward and its two backward products, dense decode and its two."""
    batch, rng = torch.from_numpy(given[:BATCH]), torch.Generator().manual_seed(0)
    encoder, decoder = (torch.randn(FEATURES, WIDTH, generator=rng) for _ in range(2))

    def run() -> None:
        for _ in range(STEPS):
            pre = batch @ encoder.T
            made = pre @ decoder
            _ = pre.T @ made
            upstream = made @ decoder.T
            _ = upstream.T @ batch
            _ = upstream @ encoder

    return run


@pytest.mark.slow
def test_topk_trains_at_70_percent_of_the_bare_products() -> None:
    torch.set_num_threads(1)
    given = frames()
    found = tokens_per_second({"ours": ours(given), "bare products": bare(given)})
    print("\n", {name: round(value) for name, value in found.items()}, found["ours"] / found["bare products"])
    assert found["ours"] >= 0.7 * found["bare products"]


@pytest.mark.slow
def test_topk_trains_as_fast_as_sae_lens() -> None:
    lens: Any = pytest.importorskip("sae_lens")
    torch.set_num_threads(1)
    given = frames()
    config = lens.TopKTrainingSAEConfig(d_in=WIDTH, d_sae=FEATURES, k=K, dtype="float32", device="cpu")
    theirs = lens.TopKTrainingSAE(config)
    optimiser = torch.optim.Adam(theirs.parameters(), lr=1e-3)
    batches = [torch.from_numpy(given[at * BATCH : (at + 1) * BATCH]) for at in range(STEPS)]
    dead = torch.zeros(FEATURES, dtype=torch.bool)

    def run() -> None:
        for number, batch in enumerate(batches):
            step = lens.saes.sae.TrainStepInput(
                sae_in=batch, coefficients={}, dead_neuron_mask=dead, n_training_steps=number, is_logging_step=False
            )
            optimiser.zero_grad()
            theirs.training_forward_pass(step).loss.backward()
            optimiser.step()

    found = tokens_per_second({"ours": ours(given), "sae-lens": run})
    print("\n", {name: round(value) for name, value in found.items()}, found["ours"] / found["sae-lens"])
    assert found["ours"] >= found["sae-lens"]
