"""Callables of other libraries as explainers, `from_attribution`: rows as those of the same map written out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import NMF, PCA, FastICA

import earwitness
from cut_tasks import cut
from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary

ITEMS = 2
FEATURES = 3


def rows(explainer: Any, task: Any, out: Path, name: str) -> pd.DataFrame:
    found = earwitness.evaluate(explainer, task, items=ITEMS, out=out, name=name).to_pandas()
    assert set(found["status"]) == {"ok"}, found["reason"].unique()
    return found.set_index(["metric", "item", "generation_seed", "explainer_seed"])["value"].sort_index()


def halves(forward: Any, inputs: torch.Tensor) -> torch.Tensor:
    """What is lost without the upper bins and without the lower ones, of spectrograms [1, M, T]."""
    found, middle = torch.zeros_like(inputs), inputs.shape[1] // 2
    with torch.no_grad():
        for half in (slice(0, middle), slice(middle, None)):
            without = inputs.clone()
            without[:, half] = inputs.min()
            found[:, half] = forward(inputs) - forward(without)
    return found


class Halves(BandExplainer):
    """The same map, literally: errors of the clean latents without the word, less those with it."""

    @torch.no_grad()
    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        whole = torch.as_tensor(item.mel)[None]
        first = model.steps - round(item.strength * model.steps)
        step, middle = (first + model.steps) // 2, whole.shape[1] // 2

        def error(mel: torch.Tensor, prompt: str) -> Any:
            clean = model.latents(mel)
            found = model.denoised(model.noised(clean, [item.seed], step), step, model.encode([prompt]))
            return (found - clean).square().flatten(1).mean(1)

        maps = np.zeros((len(item.instruments), *item.mel.shape))
        for number in range(len(item.instruments)):
            for half in (slice(0, middle), slice(middle, None)):
                without = whole.clone()
                without[:, half] = whole.min()
                told = [error(mel, item.without(number)) - error(mel, item.prompt) for mel in (whole, without)]
                maps[number, half] = max(float(told[0] - told[1]), 0)
        return BandMap.of_instruments(item, maps)


@pytest.mark.slow
def test_a_callable_on_the_band_track_is_asked_for_each_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.scoring.band.truth.TRAINING", ITEMS)
    task = cut("micro_band", ITEMS, "tf_ap", "profile_corr", steps=4)
    mine = rows(halves, task, tmp_path, "mine")
    assert mine.equals(rows(Halves(), task, tmp_path, "literal"))
    assert len(mine) == 2 * ITEMS


@dataclass
class Fitted(ConceptExplainer):
    """A decomposition's own features, both ways along each, and its own way back."""

    kind: Any

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        frames = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64)
        found = self.kind(seed % 2**32).fit(frames)
        units = np.eye(frames.shape[1])
        # Its map from latents to features and its way back are affine: told by what they make of unit vectors.
        forth = found.transform(units) - found.transform(0 * units[:1])
        units = np.eye(FEATURES)
        back = found.inverse_transform(units) - found.inverse_transform(0 * units[:1])
        return Dictionary(
            np.concatenate([forth, -forth], 1),
            np.zeros(2 * FEATURES),
            np.concatenate([back, -back]),
            frames.mean(0),
            activation=Activation.RELU,
        )


def pca(seed: int) -> Any:
    return PCA(FEATURES, random_state=seed)


def ica(seed: int) -> Any:
    return FastICA(FEATURES, random_state=seed, whiten="unit-variance", max_iter=1000)


def nmf(seed: int) -> Any:
    return NMF(FEATURES, random_state=seed, init="nndsvda", max_iter=50)


class Shifted:
    """NMF of frames that are shifted to where none is negative."""

    def __init__(self, seed: int) -> None:
        self.inner = nmf(seed)

    def fit(self, frames: np.ndarray) -> Shifted:
        self.components_ = self.inner.fit(frames - frames.min(0)).components_
        return self


class OfParts(ConceptExplainer):
    """The dictionary of NMF's parts: least squares onto them, both ways along each."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        frames = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64)
        parts = nmf(seed % 2**32).fit(frames - frames.min(0)).components_
        dual = np.linalg.pinv(parts)
        encoder, decoder = np.concatenate([dual, -dual], 1), np.concatenate([parts, -parts])
        return Dictionary(encoder, np.zeros(2 * FEATURES), decoder, frames.mean(0))


@pytest.fixture(scope="module")
def concept() -> Any:
    task = cut("micro_concept", ITEMS, "fvu", "stability")
    dataset = task.card.dataset
    few = dataset.model_copy(update={"parameters": {**dataset.parameters, "train": 40, "test": 20}})
    return type(task)(task.card.model_copy(update={"dataset": few}), task.folder)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("method", "literal"),
    [
        pytest.param(pca, Fitted(pca), id="pca", marks=pytest.mark.slow),
        pytest.param(ica, Fitted(ica), id="ica"),
        pytest.param(Shifted, OfParts(), id="nmf", marks=pytest.mark.slow),
    ],
)
def test_a_decomposition_is_its_own_features_both_ways(method: Any, literal: Any, concept: Any, out: Path) -> None:
    mine, theirs = rows(method, concept, out, "mine"), rows(literal, concept, out, "literal")
    assert len(mine) > 2
    pd.testing.assert_series_equal(mine, theirs, rtol=1e-3, atol=1e-4)


def test_a_decomposition_that_cannot_be_fitted_is_rows_that_say_so(concept: Any, out: Path) -> None:
    found = earwitness.evaluate(nmf, concept, items=1, out=out).to_pandas()
    assert set(found["status"]) == {"failed"}
    assert found["reason"].str.contains("Negative values in data").all()
