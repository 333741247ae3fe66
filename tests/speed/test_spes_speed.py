"""Our SPES against captum's perturbation methods at their best batch, and against the bare pass: masks a CPU second.

Memory: what a long utterance needs does not grow with the number of masks.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from earwitness import registry
from earwitness.scoring import Setting
from earwitness.scoring.speech.scoring import open_scoring
from speech_baselines import speech_baseline

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.tracks.speech import SpeechItem, SpeechModel

MASKS, ROUNDS, BATCHES = 1200, 3, (8, 16, 32, 64)
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def utterance(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeechModel, SpeechItem]:
    """The recogniser of micro_speech, and its longest utterance of a few."""
    torch.set_num_threads(1)
    scoring = open_scoring(Setting(registry.task("micro_speech"), items=10, cache=tmp_path_factory.mktemp("utterance")))
    return scoring.model, max(scoring.items()[0], key=lambda item: len(item.features))


def quickest(run: Callable[[], Any]) -> float:
    """CPU seconds of the quickest of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def perturbed(item: SpeechItem, explainer: Any) -> torch.Tensor:
    """The spectrograms [R, T, M] that our SPES hands the model."""
    rng = np.random.default_rng(item.explainer_seed)
    rows = [
        torch.as_tensor(np.where(bits[:, labels], np.float32(0), item.features))
        for labels, masks in zip(explainer.superpixels(item.features), explainer.shares(), strict=True)
        for bits in explainer.draw(rng, masks, labels.max() + 1, explainer.p)
    ]
    return torch.cat(rows)


class Mean:
    """An interpretable model that costs nothing to fit."""

    def fit(self, train_data: Any, **_: Any) -> dict[str, float]:
        """Read the perturbed samples."""
        self.width = next(iter(train_data))[0].shape[1]
        return {}

    def representation(self) -> torch.Tensor:
        """Coefficients [1, X]."""
        return torch.zeros(1, self.width)


def by_captum(model: SpeechModel, item: SpeechItem) -> dict[str, float]:
    """Masks a CPU second of captum's feature ablation (all tokens a pass) and LIME (their sum), by batch."""
    from captum.attr import FeatureAblation, Lime

    module, explainer = speech_baseline("spes").module, speech_baseline("spes").explainer
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    labels = torch.as_tensor(explainer.superpixels(item.features)[0])[None]  # type: ignore[attr-defined]
    original = model.logits(features, tokens)[0].double().log_softmax(-1)
    units = int(labels.max()) + 1
    ablation = FeatureAblation(lambda rows: module.divergences(original, model.logits(rows, tokens)))
    lime = Lime(
        lambda rows: module.divergences(original, model.logits(rows, tokens)).sum(1), interpretable_model=Mean()
    )
    rates = {}
    with torch.no_grad():
        for batch in BATCHES:
            given: dict[str, Any] = {"feature_mask": labels, "perturbations_per_eval": batch, "baselines": 0.0}
            rates[f"FeatureAblation, {batch}"] = units / quickest(partial(ablation.attribute, features, **given))
            rates[f"LIME, {batch}"] = units / quickest(partial(lime.attribute, features, n_samples=units, **given))
    return rates


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_spes_is_quicker_than_captum_and_nearly_as_quick_as_the_bare_pass(
    utterance: tuple[SpeechModel, SpeechItem],
) -> None:
    pytest.importorskip("captum")
    model, item = utterance
    explainer = speech_baseline("spes").build(masks=MASKS, prefix_masks=0)
    rows, tokens = perturbed(item, explainer), torch.as_tensor(item.tokens)[None]

    @torch.inference_mode()
    def bare(batch: int) -> None:
        for chunk in torch.split(rows, batch):
            model.logits(chunk, tokens)

    explainer.explain(model, item)
    rates: dict[int, float] = dict.fromkeys(BATCHES, 0.0)
    ours = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        explainer.explain(model, item)
        ours = max(ours, MASKS / (time.process_time() - start))
        for batch in BATCHES:
            start = time.process_time()
            bare(batch)
            rates[batch] = max(rates[batch], MASKS / (time.process_time() - start))
    captum = by_captum(model, item)
    print(f"\nours, {explainer.batch}: {ours:.0f} masks a CPU second")
    for name, rate in chain(((f"bare pass, {batch}", rate) for batch, rate in rates.items()), captum.items()):
        print(f"{name}: {rate:.0f}; ours is {ours / rate:.2f} of it")
    assert ours > max(captum.values())
    assert ours >= 0.9 * max(rates.values())


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from speech_baselines import speech_baseline
from speech_fakes import FakeSpeechModel
from earwitness.tracks.speech import SpeechItem

model = FakeSpeechModel(bins=80)
features = np.random.default_rng(0).standard_normal((3000, 80)).astype(np.float32)
item = SpeechItem("long", 0, "", ("",) * 5, features, np.arange(5), np.arange(5))
speech_baseline("spes").build(masks=int(sys.argv[1]), prefix_masks=4, batch=16).explain(model, item)
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak_mib(masks: int) -> float:
    """Peak resident MiB of a process that explains 30 s of 80 bins by 16 masks a pass."""
    command = [sys.executable, "-c", PEAK, str(masks)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True)
    return float(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's record of peak memory")
def test_memory_is_bounded_by_the_chunk_and_not_by_the_number_of_masks() -> None:
    few, many = (min(peak_mib(masks) for _ in range(2)) for masks in (96, 960))
    chunk = 16 * 3000 * 80 * 4 / 2**20
    print(f"\npeak with 96 masks {few:.0f} MiB, with 960 {many:.0f} MiB; a chunk of spectrograms is {chunk:.0f} MiB")
    assert many - few < 2 * chunk
