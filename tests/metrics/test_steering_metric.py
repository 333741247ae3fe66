"""Own effect against side effects, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.steering import steer


def test_own_movement_is_weighed_against_all_movement() -> None:
    assert steer([[1.0, 0.0], [3.0, 0.0]], 0) == 1.0
    assert steer([[1.0, -1.0], [1.0, 1.0]], 0) == 0.5
    assert steer([[-1.0, 0.0]], 0) == -1.0
    assert steer([[1.0, 3.0]], 1) == 0.75


def test_clips_that_an_estimator_does_not_hear_are_left_out() -> None:
    assert steer([[np.nan, 9.0], [1.0, 1.0]], 0) == 0.5
    with pytest.raises(UndefinedError, match="heard none"):
        steer([[np.nan, 1.0]], 0)
    with pytest.raises(UndefinedError, match="moved nothing"):
        steer([[0.0, 0.0]], 0)
    with pytest.raises(ValueError, match="column 2"):
        steer([[1.0, 1.0]], 2)
