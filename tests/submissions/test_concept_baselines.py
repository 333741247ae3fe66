"""What every submission of the concept track keeps to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from concept_baselines import CONCEPT_IDS, SUBMISSIONS, concept_baseline, concept_world
from concept_fakes import FakeConceptModel, fake_item, planted
from earwitness.errors import EarwitnessError
from earwitness.explaining import l1
from earwitness.submission import read_submission
from earwitness.tracks.concept import Dictionaries, Dictionary

ISSUE = (
    "raw_latents pca random_relu random_topk sae_l1 sae_l1_printed sae_topk sae_batch_topk sae_jumprelu sae_gated "
    "sae_matryoshka"
)
CONTROLS = {"random", "raw_latents", "random_relu", "random_topk"}
FIXED = {"raw_latents", "pca"}
QUICK = {"epochs": 2, "batch": 128, "features": 40}
MODEL = FakeConceptModel()


def parts(found: Dictionary) -> list[np.ndarray]:
    return [found.encoder, found.bias, found.decoder, found.offset]


def test_every_baseline_of_the_concept_track_is_there() -> None:
    assert set(ISSUE.split()) <= set(CONCEPT_IDS)


@pytest.mark.parametrize("name", CONCEPT_IDS)
def test_a_concept_submission_is_named_after_its_folder_and_says_what_it_is(name: str) -> None:
    submission = read_submission(SUBMISSIONS / name)
    assert submission.id == name
    assert (SUBMISSIONS / name / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert (submission.card.kind == "control") == (name in CONTROLS)


@pytest.mark.parametrize("name", CONCEPT_IDS)
def test_the_same_seed_gives_the_same_arrays_and_another_seed_others(name: str) -> None:
    item = replace(concept_world()[1], explainer_seeds=(0, 0, 1))
    found = concept_baseline(name, **QUICK).explain(MODEL, item)
    found.check(item)
    assert Dictionaries.build(found.arrays()).arrays().keys() == found.arrays().keys()
    first, again, other = found.fitted
    for one, two in zip(parts(first), parts(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.array_equal(first.encoder, other.encoder) == (name in FIXED)


@pytest.mark.parametrize("name", CONCEPT_IDS)
def test_a_constant_latent_is_scaled_by_one_and_comes_back_as_it_was(name: str) -> None:
    item = concept_world()[1]
    train = item.train.copy()
    train[..., 3] = 0.7
    found = concept_baseline(name, **QUICK).fit(MODEL, replace(item, train=train), 0)
    frames = train.reshape(-1, train.shape[-1])
    back = found.decode(found.encode(frames))
    assert np.isfinite(back).all()
    # Thresholded features are scaled by up to a hundred; by a deviation near 0 they would be by millions.
    assert np.abs(found.encoder[3]).max() < 1000
    if name in FIXED:
        np.testing.assert_allclose(back, frames, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(CONCEPT_IDS) - FIXED))
def test_a_dictionary_that_no_box_could_answer_with_ends_in_one_line(name: str) -> None:
    with pytest.raises(EarwitnessError, match="lower features to at most") as caught:
        concept_baseline(name, features=2_000_000).fit(MODEL, concept_world()[1], 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CONCEPT_IDS)
def test_latents_that_are_no_numbers_end_in_one_line(name: str) -> None:
    item = concept_world()[1]
    train = item.train.copy()
    train[0, 0, 0] = np.nan
    with pytest.raises(EarwitnessError, match="1 of 19200 training latents are NaN"):
        concept_baseline(name, **QUICK).fit(MODEL, replace(item, train=train), 0)


@pytest.mark.parametrize("name", ["random_topk", "sae_topk", "sae_batch_topk", "sae_matryoshka"])
def test_more_active_features_than_there_are_end_in_one_line(name: str) -> None:
    with pytest.raises(EarwitnessError, match="k must lie in 1 to the 40 features"):
        concept_baseline(name, features=40, k=41).fit(MODEL, concept_world()[1], 0)


def correlation(found: Dictionary, seed: int = 1) -> float:
    """Mean over planted directions of the largest correlation of a feature with how active they are, on new clips."""
    new = planted(seed=seed, clips=100)
    features = found.encode(fake_item(MODEL, new).train.reshape(-1, MODEL.width))
    codes = new.codes.reshape(len(features), -1)
    ours, theirs = (
        (each - each.mean(0)) / np.maximum(each.std(0), 1e-9) for each in (features.astype(np.float64), codes)
    )
    return float((ours.T @ theirs / len(codes)).max(0).mean())


def test_a_trained_topk_dictionary_finds_the_planted_directions_and_a_random_one_does_not() -> None:
    item = concept_world(16, 400)[1]
    size = {"features": 48, "k": 5, "epochs": 20, "batch": 256}
    found = {
        name: correlation(concept_baseline(name, **size).fit(MODEL, item, 0)) for name in ("sae_topk", "random_topk")
    }
    assert found["sae_topk"] > 0.7
    assert found["random_topk"] < 0.55


def test_batch_topk_has_k_active_features_on_average_on_clips_it_has_not_seen() -> None:
    found = concept_baseline("sae_batch_topk", features=48, k=5, epochs=10, batch=128).fit(MODEL, concept_world()[1], 0)
    features = found.encode(fake_item(MODEL, planted(seed=1)).train.reshape(-1, MODEL.width))
    active = (features != 0).sum(-1)
    assert active.mean() == pytest.approx(5, rel=0.2)
    assert len(set(active)) > 2


def test_the_printed_penalty_falls_with_the_encoder_and_its_output_stays() -> None:
    item = concept_world()[1]
    found = concept_baseline("sae_l1_printed", **QUICK).fit(MODEL, item, 0)
    small = replace(found, encoder=found.encoder * np.float32(0.1), bias=found.bias * np.float32(0.1))
    frames = item.train.reshape(-1, MODEL.width)
    np.testing.assert_allclose(small.decode(small.encode(frames)), found.decode(found.encode(frames)), atol=1e-3)
    penalised = [np.abs(np.maximum((frames - d.offset) @ d.encoder + d.bias, 0)).sum(-1).mean() for d in (found, small)]
    assert penalised[1] == pytest.approx(0.1 * penalised[0], rel=1e-4)


def test_our_penalty_does_not_move_with_the_encoder() -> None:
    rng = torch.Generator().manual_seed(0)
    weights = l1.Weights(*(torch.randn(shape, generator=rng) for shape in ((40, 16), (40,), (40, 16))))
    frames = torch.randn(64, 16, generator=rng)
    small = weights._replace(encoder=weights.encoder * 0.1, bias=weights.bias * 0.1)
    ours, printed = (
        [
            float(concept_baseline(name).penalised(l1.activity(each.encoder, each.bias, frames)))
            for each in (weights, small)
        ]
        for name in ("sae_l1", "sae_l1_printed")
    )
    assert ours[1] == pytest.approx(ours[0], rel=1e-4)
    assert printed[1] == pytest.approx(0.1 * printed[0], rel=1e-4)


def test_the_printed_loss_is_lowered_by_shrinking_the_encoder_and_ours_is_not() -> None:
    item = concept_world()[1]
    size = []
    for name in ("sae_l1", "sae_l1_printed"):
        found = concept_baseline(name, **{**QUICK, "epochs": 30}).fit(MODEL, item, 0)
        frames = item.train.reshape(-1, MODEL.width)
        size.append(np.maximum((frames - found.offset) @ found.encoder + found.bias, 0).mean())
    assert size[1] < 0.2 * size[0]


def test_the_floor_is_another_draw_of_the_random_rectified_dictionary() -> None:
    item = concept_world()[1]
    floor, control = (concept_baseline(name).fit(MODEL, item, 0) for name in ("random", "random_relu"))
    assert floor.encoder.shape == control.encoder.shape
    assert floor.activation == control.activation
    assert not np.isclose(floor.encoder, control.encoder).all(0).any()
