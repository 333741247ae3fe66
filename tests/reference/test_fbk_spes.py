"""SPES' released metrics and superpixels against its authors' code.

`EARWITNESS_REFERENCES=FOLDER pytest -m reference tests/reference/test_fbk_spes.py`, with FBK-fairseq in FOLDER.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
import torch
from skimage.segmentation import slic

from earwitness.metrics.released_extent import size_prefix_released, size_spectrogram_released
from reference.references import Checkout
from speech_baselines import fake_items, speech_baseline

pytestmark = pytest.mark.reference

FBK = Checkout("hlt-mt/FBK-fairseq", "4cd7c6d")
SPEECH = "examples/speech_to_text"


def theirs(path: str, names: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """Functions and methods of a file of theirs, without what the file imports."""
    tree = ast.parse((FBK.folder() / SPEECH / path).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in wanted]
    for node in found:
        node.decorator_list, node.returns = [], None
        for each in node.args.args:
            each.annotation = None
    exec(compile(ast.Module(found, []), path, "exec"), names)
    return names


def released_sizes(cells: np.ndarray, prefix: np.ndarray) -> tuple[float, float]:
    """Areas of the spectrogram's and the prefix's shares, as their script adds up one sample."""
    names = theirs("xai_metrics/size_score.py", {"torch": torch}, "get_values_above_threshold", "count_values")
    given = torch.as_tensor(cells, dtype=torch.float32), torch.as_tensor(prefix, dtype=torch.float32)[..., None]
    thresholds = [percent / 100 for percent in range(0, 100, 5)] + [1]
    counts = names["count_values"](*given)
    above = [names["get_values_above_threshold"](*given, threshold) for threshold in thresholds]
    one, other = (np.trapezoid([100 * row[part] / counts[part] for row in above], thresholds) for part in (0, 1))
    return float(one), float(other)


@pytest.mark.parametrize("seed", range(4))
def test_both_sizes_are_those_of_the_released_script(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, prefix = rng.random((3, 7, 5)), np.tril(rng.random((3, 3)), -1)
    cells[0, 0] = np.arange(5) / 20  # at thresholds themselves
    prefix[2, 0] = 0.35
    found = size_spectrogram_released(cells), size_prefix_released(prefix)
    np.testing.assert_allclose(found, released_sizes(cells, prefix), rtol=1e-9)


def test_superpixels_smoothed_with_sigma_1_are_the_released_ones() -> None:
    names = {"torch": torch, "np": np, "slic": slic, "LOGGER": __import__("logging").getLogger(__name__)}
    path = "occlusion_explanation/perturbators/slic_fbank.py"
    loaded = theirs(path, names, "_do_segmentation")["_do_segmentation"]
    explainer = speech_baseline("spes_sigma_1").build(segments=(200, 300))
    item = fake_items()[0]

    class Released:
        n_segments, compactness, slic_sigma = (200, 300), explainer.compactness, 1

        def get_n_segments(self, frames: int, segments: int) -> int:
            return max(1, round(segments * frames / explainer.reference))

    segments = loaded(Released(), torch.as_tensor(item.features))
    for labels, expected in zip(explainer.superpixels(item.features), segments.values(), strict=True):
        same = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
        assert same.shape[1] == len(np.unique(labels)) == len(np.unique(expected))
