"""How near SPES, and SPES by gradients, come to what SPES would say of endless masks, by passes: printed.

That limit is not known: it is estimated by two maps of many masks each, whose own agreement says how noisy they are. A
correlation with their mean is divided by the root of the mean's reliability (Spearman's correction for attenuation).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from earwitness import registry
from earwitness.scoring import Setting
from earwitness.scoring.speech.scoring import open_scoring
from speech_baselines import speech_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from earwitness.tracks.speech import SpeechItem, SpeechModel

UTTERANCES, HALF = 3, 30_000
SPES, GRADIENTS = (2_000, 20_000), (30, 100, 300, 1_000)


def cells(model: SpeechModel, item: SpeechItem, name: str, masks: int, seed: int) -> tuple[np.ndarray, float]:
    """Effects [O, T, M] of cells by so many masks, and CPU seconds."""
    explainer: Any = speech_baseline(name).build(masks=masks)
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    with torch.no_grad():
        original = model.logits(features, tokens)[0].double().log_softmax(-1)
    start = time.process_time()
    with torch.set_grad_enabled(name == "spes_gradients"):
        found: np.ndarray = explainer._cells(model, item, original, np.random.default_rng(seed), explainer.batch)
    return found, time.process_time() - start


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of cells, mean over tokens."""
    pairs = zip(one, other, strict=True)
    return float(np.mean([spearmanr(first.ravel(), second.ravel()).statistic for first, second in pairs]))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_passes_that_a_map_of_spes_takes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scoring = open_scoring(Setting(registry.task("micro_speech"), items=UTTERANCES, cache=tmp_path))
    near: dict[tuple[str, int], list[float]] = {}
    for item in scoring.items()[0]:
        halves = [cells(scoring.model, item, "spes", HALF, seed)[0] for seed in (1, 2)]
        agree = alike(*halves)
        limit, reliable = halves[0] + halves[1], np.sqrt(2 * agree / (1 + agree))
        two = alike(*(cells(scoring.model, item, "spes", 20_000, seed)[0] for seed in (3, 4)))
        print(
            f"{item.id}: {len(item.features)} frames, {len(item.tokens)} tokens; two maps of SPES agree at {two:.2f} "
            f"with 20,000 masks each, at {agree:.2f} with {HALF:,}"
        )
        for name, masks in [*(("spes", each) for each in SPES), *(("spes_gradients", each) for each in GRADIENTS)]:
            found, seconds = cells(scoring.model, item, name, masks, 5)
            again = alike(found, cells(scoring.model, item, name, masks, 6)[0]) if masks <= 1_000 else float("nan")
            near.setdefault((name, masks), []).append(alike(found, limit) / reliable)
            passes = masks * (1 + 2 * len(item.tokens) * (name == "spes_gradients"))
            print(
                f"  {name}, {masks:,} masks: {passes:,} passes (a backward counts two), {seconds:.1f} CPU s; "
                f"{near[name, masks][-1]:.2f} with SPES' limit; another seed {again:.2f}"
            )
    for (name, masks), each in near.items():
        print(f"{name}, {masks:,} masks: {np.mean(each):.2f} with SPES' limit, {UTTERANCES} utterances")
    assert np.mean(near["spes_gradients", 100]) > np.mean(near["spes", 2_000])
