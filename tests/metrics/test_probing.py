"""Probes against scikit-learn's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.probing import PENALTIES, probe_accuracy, probe_r2, pursuit, sparse_probe_r2


def _data(seed: int = 0, features: int = 30) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(80, features)), rng.normal(size=(40, features))
    weights = np.zeros(features)
    weights[[3, 7, 11]] = [3.0, -2.0, 1.0]
    return x, x @ weights + rng.normal(size=80), z, z @ weights + rng.normal(size=40)


@pytest.mark.parametrize("features", [5, 30, 200])
def test_the_probe_is_ridge_regression_with_leave_one_out_choice_of_penalty(features: int) -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(60, features)), rng.normal(size=(30, features))
    y, t = x[:, 0] + 0.5 * rng.normal(size=60), z[:, 0] + 0.5 * rng.normal(size=30)
    scaler = StandardScaler().fit(x)
    other = RidgeCV(alphas=PENALTIES).fit(scaler.transform(x), y)
    found = other.predict(scaler.transform(np.clip(z, x.min(0), x.max(0))))
    wanted = max(-1.0, 1 - np.square(t - found).sum() / np.square(t - t.mean()).sum())
    assert probe_r2(x, y, z, t) == pytest.approx(wanted, abs=1e-6)


def test_a_probe_of_noise_explains_nothing() -> None:
    x, _, z, _ = _data()
    rng = np.random.default_rng(5)
    assert abs(probe_r2(x, rng.normal(size=80), z, rng.normal(size=40))) < 0.3


def test_scaling_and_shifting_features_changes_no_probe() -> None:
    x, y, z, t = _data()
    gain, shift = np.exp(np.random.default_rng(2).normal(size=30)), 7.0
    assert probe_r2(gain * x + shift, y, gain * z + shift, t) == pytest.approx(probe_r2(x, y, z, t))
    assert sparse_probe_r2(gain * x + shift, y, gain * z + shift, t, k=4) == pytest.approx(
        sparse_probe_r2(x, y, z, t, k=4)
    )


def test_the_best_features_are_found_in_the_order_of_what_they_explain() -> None:
    x, y, z, t = _data()
    assert pursuit(x, y, 3) == [3, 7, 11]
    one, four = sparse_probe_r2(x, y, z, t, k=1), sparse_probe_r2(x, y, z, t, k=4)
    assert 0.4 < one < four


def test_pursuit_is_scikit_learns_orthogonal_matching_pursuit() -> None:
    from sklearn.linear_model import OrthogonalMatchingPursuit

    x, y, _, _ = _data(3)
    scaled = (x - x.mean(0)) / x.std(0)
    other = OrthogonalMatchingPursuit(n_nonzero_coefs=5).fit(scaled, y)
    assert sorted(pursuit(x, y, 5)) == np.flatnonzero(other.coef_).tolist()


def test_constant_features_are_never_chosen_and_do_no_harm() -> None:
    x, y, z, t = _data()
    more = np.concatenate([np.ones((80, 2)), x], 1), np.concatenate([np.ones((40, 2)), z], 1)
    assert sparse_probe_r2(more[0], y, more[1], t, k=3) == pytest.approx(sparse_probe_r2(x, y, z, t, k=3))
    assert pursuit(np.ones((5, 3)), np.arange(5.0), 2) == []
    assert probe_r2(np.ones((5, 3)), np.arange(5.0), np.ones((3, 3)), [0.0, 2.0, 4.0]) == pytest.approx(0.0, abs=1e-9)


def test_a_probe_that_reads_the_other_factor_fails_where_both_no_longer_move_together() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=100), rng.normal(size=50)
    shared = 0.95 * own + 0.1 * rng.normal(size=100)  # the feature is of the other factor
    apart = rng.normal(size=50)
    assert probe_r2(shared[:, None], own, apart[:, None], other) < 0


def test_the_accuracy_of_classes_is_counted_in_bins_of_the_training_range() -> None:
    x = np.linspace(0, 1, 60)[:, None]
    z = np.array([[0.05], [0.95]])
    assert probe_accuracy(x, x[:, 0], z, z[:, 0], classes=2) == 1.0
    assert probe_accuracy(x, x[:, 0], z, 1 - z[:, 0], classes=2) == 0.0
    # Whole values are classes of their own.
    semitones = np.repeat([60.0, 61.0, 72.0], 20)
    feature = semitones[:, None] + 0.01 * np.random.default_rng(0).normal(size=(60, 1))
    assert probe_accuracy(feature, semitones, [[60.0], [72.0]], [60.0, 72.0], classes=0) == 1.0


def test_a_factor_of_one_value_is_undefined_and_shapes_must_agree() -> None:
    x, y, z, t = _data()
    with pytest.raises(UndefinedError, match="one value"):
        probe_r2(x, np.ones(80), z, t)
    with pytest.raises(UndefinedError, match="one class"):
        probe_accuracy(x, np.linspace(0, 1, 80), z, t, classes=1)
    with pytest.raises(ValueError, match="do not agree"):
        probe_r2(x, y[:-1], z, t)


def test_a_feature_that_one_training_clip_activates_decides_nothing_in_held_out_clips() -> None:
    rng = np.random.default_rng(0)
    known, wanted = rng.normal(size=60), rng.normal(size=40)
    train, test = (np.stack([values + 0.1 * rng.normal(size=len(values)), 0 * values], 1) for values in (known, wanted))
    train[0, 1], test[:5, 1] = 0.01, 10.0
    assert probe_r2(train, known, test, wanted) > 0.9
    assert sparse_probe_r2(train, known, test, wanted, k=2) > 0.9
