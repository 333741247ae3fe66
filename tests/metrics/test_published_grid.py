import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.deletion import deletion_wer
from earwitness.metrics.published_grid import deletion_wer_even, on_even
from earwitness.scoring.speech.grids import GRIDS


def test_the_fine_grid_holds_the_published_one() -> None:
    assert on_even(GRIDS["fine"], GRIDS["fine"]).tolist() == pytest.approx(list(GRIDS["even"]))


def test_points_between_every_5_percent_count_for_nothing() -> None:
    fine = np.array(GRIDS["fine"])
    between = ~np.isin(fine, GRIDS["even"])
    assert between.sum() == 8
    errors = np.where(between, 9, 3 * (fine >= 0.5))
    plain = deletion_wer(3 * (np.array(GRIDS["even"]) >= 0.5), 3, 3)
    assert deletion_wer_even(errors, 3, 3, fine) == pytest.approx(plain)
    assert deletion_wer(errors, 3, 3, fine) > plain + 0.05


def test_a_curve_that_lacks_one_of_the_shares_has_no_value() -> None:
    with pytest.raises(UndefinedError, match="every 5 %"):
        deletion_wer_even(np.zeros(20), 3, 3, GRIDS["even"][:-1])
