import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earwitness.metrics.fidelity import fid_cf, fid_f, fid_noise, kl_cf, kl_f, kl_noise

FIDS, KLS = (fid_f, fid_cf, fid_noise), (kl_f, kl_cf, kl_noise)
positive = arrays(np.float64, 5, elements=st.floats(0.01, 1.0))


@pytest.mark.parametrize("fid", FIDS)
def test_fid_follows_the_class_that_was_on_top_in_the_original(fid) -> None:
    assert fid([0.1, 0.6, 0.3], [0.8, 0.15, 0.05]) == pytest.approx(0.45)


@pytest.mark.parametrize("fid", FIDS)
def test_fid_is_negative_where_the_mask_makes_the_judge_surer(fid) -> None:
    assert fid([0.6, 0.4], [0.9, 0.1]) == pytest.approx(-0.3)


@pytest.mark.parametrize("kl", KLS)
def test_kl_is_of_the_perturbed_answer_from_the_original(kl) -> None:
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert kl([0.5, 0.5], [0.9, 0.1]) == pytest.approx(expected, abs=1e-4)
    assert kl([0.9, 0.1], [0.5, 0.5]) == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(5), abs=1e-4)


@pytest.mark.parametrize("kl", KLS)
def test_epsilon_bounds_the_kl_of_an_impossible_class(kl) -> None:
    assert kl([1.0, 0.0], [0.0, 1.0]) == pytest.approx(math.log(1e6), rel=1e-3)


@settings(deadline=None, max_examples=30)
@given(positive, positive)
def test_kl_is_never_negative_and_zero_only_between_equals(p: np.ndarray, q: np.ndarray) -> None:
    p, q = p / p.sum(), q / q.sum()
    assert kl_f(p, q) >= 0
    assert kl_f(p, p) == pytest.approx(0, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(positive, positive, st.permutations(range(5)))
def test_the_order_of_classes_does_not_matter(p: np.ndarray, q: np.ndarray, order: list[int]) -> None:
    p, q = p / p.sum(), q / q.sum()
    assert kl_cf(p[order], q[order]) == pytest.approx(kl_cf(p, q), abs=1e-12)
    if len(set(p)) == len(p):
        assert fid_cf(p[order], q[order]) == pytest.approx(fid_cf(p, q))


@pytest.mark.parametrize("metric", FIDS + KLS)
@pytest.mark.parametrize(
    ("original", "perturbed"),
    [([0.5, np.nan], [0.5, 0.5]), ([0.5, 0.5], [0.5, 0.4]), ([0.5, 0.5], [1.5, -0.5]), ([0.5, 0.5], [1.0]), ([], [])],
)
def test_what_is_no_probability_is_refused_and_never_becomes_nan(metric, original, perturbed) -> None:
    with pytest.raises(ValueError, match=r"finite|sum to 1|equal|empty"):
        metric(original, perturbed)
