import numpy as np
import pytest

from earwitness.metrics.extent import size_prefix, size_spectrogram
from earwitness.metrics.released_extent import size_prefix_released, size_spectrogram_released


def test_what_lies_at_a_threshold_counts() -> None:
    assert size_spectrogram([[[0.5, 0.5]]]) == pytest.approx(100 * (9.5 / 20))
    assert size_spectrogram_released([[[0.5, 0.5]]]) == pytest.approx(100 * (10.5 / 20))
    assert size_spectrogram_released(np.zeros((1, 2, 2))) == pytest.approx(100 * 0.5 / 20)
    assert size_spectrogram(np.zeros((1, 2, 2))) == 0


def test_the_diagonal_of_a_prefix_map_counts() -> None:
    prefix = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert size_prefix(prefix) == pytest.approx(97.5)
    assert size_prefix_released(prefix) == pytest.approx((100 + 2 * 2.5) / 3)
    assert size_prefix_released([[0.0]]) == pytest.approx(2.5)


def test_away_from_thresholds_both_forms_of_a_spectrogram_say_the_same() -> None:
    cells = np.random.default_rng(0).uniform(0.001, 0.049, (2, 5, 4)) + 0.05 * np.random.default_rng(1).integers(
        0, 20, (2, 5, 4)
    )
    assert size_spectrogram_released(cells) == pytest.approx(size_spectrogram(cells))
