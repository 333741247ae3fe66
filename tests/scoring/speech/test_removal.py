"""What stands in cells that are removed, beside slow literal versions."""

import numpy as np
import pytest

from earwitness.scoring.speech.removal import gone, ranks, without
from earwitness.scoring.speech.training import marginal_of
from earwitness.tracks.speech import Fill, utterance_mean

FRAMES, BINS = 11, 5


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(FRAMES, BINS)).astype(np.float32)


@pytest.fixture
def masks() -> np.ndarray:
    order = ranks(np.random.default_rng(1).random((FRAMES, BINS)), 2)
    found = gone(order, [0.0, 0.1, 0.4, 0.7, 0.95, 1.0])
    found[3, :, 2] = True
    return found


def left(fill: Fill, features: np.ndarray, masks: np.ndarray, seed: int = 3) -> np.ndarray:
    return without(fill, features, masks, marginal_of([features * 2]), seed)


@pytest.mark.parametrize("fill", list(Fill))
def test_cells_that_are_left_stay_as_they_are(fill: Fill, features: np.ndarray, masks: np.ndarray) -> None:
    found = left(fill, features, masks)
    assert found.dtype == np.float32
    assert (np.where(masks, 0, found) == np.where(masks, 0, features)).all()
    assert (found[0] == features).all()
    assert (found[-1] != features).any()


def test_the_mean_is_that_of_the_bin(features: np.ndarray, masks: np.ndarray) -> None:
    found = left(Fill.MEAN, features, masks)
    assert (found[masks] == np.broadcast_to(utterance_mean(features), masks.shape)[masks]).all()


def test_inpainting_draws_a_line_between_the_nearest_cells_that_are_left(
    features: np.ndarray, masks: np.ndarray
) -> None:
    found = left(Fill.INPAINT, features, masks)
    for q, t, m in np.argwhere(masks):
        kept = [other for other in range(FRAMES) if not masks[q, other, m]]
        before, after = [other for other in kept if other < t], [other for other in kept if other > t]
        if before and after:
            want = np.interp(t, [before[-1], after[0]], features[[before[-1], after[0]], m])
        elif kept:
            want = features[before[-1] if before else after[0], m]
        else:
            want = utterance_mean(features)[m]
        assert found[q, t, m] == pytest.approx(want, abs=1e-6)


def test_shuffling_keeps_the_values_of_every_bin_and_leaves_none_in_its_place(
    features: np.ndarray, masks: np.ndarray
) -> None:
    found = left(Fill.SHUFFLE, features, masks)
    assert np.array_equal(np.sort(found, axis=1), np.broadcast_to(np.sort(features, axis=0), found.shape))
    alone = masks & (masks.sum(1, keepdims=True) == 1)
    assert alone.any()
    assert (found[alone] == np.broadcast_to(features, masks.shape)[alone]).all()
    assert (found[masks & ~alone] != np.broadcast_to(features, masks.shape)[masks & ~alone]).all()


def test_what_is_shuffled_hangs_on_the_item_alone(features: np.ndarray, masks: np.ndarray) -> None:
    assert (left(Fill.SHUFFLE, features, masks) == left(Fill.SHUFFLE, features, masks)).all()
    assert (left(Fill.SHUFFLE, features, masks) == left(Fill.SHUFFLE, features, masks[::-1])[::-1]).all()
    assert (left(Fill.SHUFFLE, features, masks) != left(Fill.SHUFFLE, features, masks, seed=4)).any()
