import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.stats.multiplicity import holm


def literal_holm(p: list[float], level: float) -> list[bool]:
    """Step down: the smallest against level / K, the next against level / (K - 1), until one stays."""
    rejected = [False] * len(p)
    for step, number in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[number] > level / (len(p) - step):
            break
        rejected[number] = True
    return rejected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_adjusted_values_reject_what_stepping_down_rejects(p: list[float], level: float) -> None:
    near = 1e-12
    assert (holm(np.array(p)) <= level - near).tolist() == literal_holm(p, level - near)


def test_one_test_stays_as_it_is() -> None:
    assert holm(np.array([0.03])).tolist() == [0.03]


def test_no_adjusted_value_is_above_1() -> None:
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_any_of_20_true_hypotheses_is_rejected_at_most_5_percent_of_the_time() -> None:
    p = np.random.default_rng(0).uniform(size=(4000, 20))
    any_rejected = np.mean([(holm(row) < 0.05).any() for row in p])
    assert any_rejected == pytest.approx(0.05, abs=0.011)
