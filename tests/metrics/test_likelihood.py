import math

import numpy as np
import pytest

from earwitness.metrics.likelihood import logit_kl_cf, logit_kl_f


@pytest.mark.parametrize("metric", [logit_kl_f, logit_kl_cf])
def test_the_mean_is_over_codebooks_and_frames(metric) -> None:
    original = np.zeros((1, 2, 2))
    perturbed = np.array([[[0.0, 0.0], [0.0, math.log(3)]]])
    there = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert metric(original, perturbed) == pytest.approx(there / 2)


@pytest.mark.parametrize("metric", [logit_kl_f, logit_kl_cf])
def test_a_constant_added_to_logits_changes_nothing(metric) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    assert metric(a + 7, b - 900) == pytest.approx(metric(a, b))
    assert metric(a, b) > 0


def test_large_logits_do_not_overflow() -> None:
    assert logit_kl_f([[[0.0, 1000.0]]], [[[1000.0, 0.0]]]) == pytest.approx(1000)


@pytest.mark.parametrize("metric", [logit_kl_f, logit_kl_cf])
@pytest.mark.parametrize("bad", [np.full((1, 1, 2), np.nan), np.zeros((1, 2, 2)), np.zeros((1, 2))])
def test_bad_logits_are_refused(metric, bad) -> None:
    with pytest.raises(ValueError, match=r"finite|equal|dimensions"):
        metric(np.zeros((1, 1, 2)), bad)
