import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.mass import null_word_mass, size


def test_size_is_the_mean_over_frames_and_tokens() -> None:
    assert size([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]) == pytest.approx(3 / 8)


def test_null_word_mass_is_a_share_so_scale_does_not_matter() -> None:
    weights, null = np.array([0.2, 0.3, 0.5]), [True, False, False]
    assert null_word_mass(weights, null) == pytest.approx(0.2)
    assert null_word_mass(weights / 10, null) == pytest.approx(0.2)


def test_saying_nothing_counts_as_spread_evenly() -> None:
    assert null_word_mass([0.0, 0.0, 0.0, 0.0], [True, False, False, False]) == pytest.approx(0.25)


@pytest.mark.parametrize("null", [[False, False], [True, True]])
def test_a_prompt_with_no_or_only_null_words_has_no_value(null) -> None:
    with pytest.raises(UndefinedError):
        null_word_mass([0.5, 0.5], null)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        size([[np.nan]])
    with pytest.raises(ValueError, match="finite"):
        null_word_mass([np.nan, 1.0], [True, False])
