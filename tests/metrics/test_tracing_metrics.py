"""Settling along the steps of a diffusion, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.tracing import settling, trace, trace_error

NAN = np.nan


def test_settling_is_the_distance_left_over_the_whole_distance_summed_over_clips() -> None:
    # Distances to the last step: 4, 1, 0 and 1, 1, 0; whole: 4 + 1.
    assert settling([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]]).tolist() == [1.0, 2 / 5, 0.0]


def test_a_factor_that_overshoots_is_further_from_its_end_than_at_the_start() -> None:
    assert settling([[1.0, -2.0, 0.0]]).tolist() == [1.0, 2.0, 0.0]


def test_a_clip_that_is_not_told_at_a_step_is_left_out_of_that_step_alone() -> None:
    # Step 1 is of the second clip alone: |5 - 3| / |7 - 3|.
    assert settling([[0.0, NAN, 4.0], [7.0, 5.0, 3.0]]).tolist() == [1.0, 0.5, 0.0]


def test_a_clip_without_its_first_or_last_step_counts_nowhere() -> None:
    rows = [[7.0, 5.0, 3.0], [0.0, 2.0, 4.0]]
    assert settling([*rows, [NAN, 9.0, 9.0], [9.0, 90.0, NAN]]).tolist() == settling(rows).tolist()


def test_too_few_clips_are_told_in_one_line() -> None:
    with pytest.raises(UndefinedError, match=r"^the factor is told in only 1 of 3 traced clips at some step$"):
        settling([[0.0, NAN, 4.0], [7.0, 5.0, 3.0], [NAN, 1.0, 1.0]])
    with pytest.raises(UndefinedError, match="only 0 of 1"):
        settling([[NAN, NAN]])


def test_what_never_moves_has_no_settling() -> None:
    with pytest.raises(UndefinedError, match="does not move"):
        trace([[3.0, 4.0, 3.0], [1.0, 2.0, 1.0]])
    with pytest.raises(UndefinedError, match="does not move"):
        settling([[1e6, 2e6, 1e6 * (1 + 1e-12)]])


def test_one_step_or_one_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found shape \[1, 1\]"):
        settling([[1.0]])
    with pytest.raises(ValueError, match="must have 2 dimensions"):
        trace([1.0, 2.0])


def test_trace_is_the_mean_over_steps() -> None:
    assert trace([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]]) == pytest.approx((1 + 0.4 + 0) / 3)
    early, late = trace([[0.0, 4.0, 4.0]]), trace([[0.0, 0.0, 4.0]])
    assert (early, late) == pytest.approx((1 / 3, 2 / 3))


def test_a_probe_that_tells_what_is_heard_has_no_error_whatever_its_scale() -> None:
    sound = np.array([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]])
    assert trace_error(sound, sound) == 0
    assert trace_error(100 - 7 * sound, sound) == pytest.approx(0)


def test_the_error_is_the_mean_difference_of_two_curves() -> None:
    # 1, .4, 0 against 1, .6, 0.
    found = trace_error([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]], [[0.0, 2.0, 4.0], [1.0, 1.0, 0.0]])
    assert found == pytest.approx(0.2 / 3)


def test_what_the_estimator_does_not_hear_counts_for_neither_curve() -> None:
    probe = [[0.0, 50.0, 4.0], [7.0, 5.0, 3.0]]
    sound = [[0.0, NAN, 4.0], [7.0, 4.0, 3.0]]
    # At step 1 only the second clip: 2 / 4 against 1 / 4.
    assert trace_error(probe, sound) == pytest.approx(0.25 / 3)


def test_a_probe_that_stands_still_has_settled_at_once() -> None:
    sound = [[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]]
    assert trace_error(np.full((2, 3), 5.0), sound) == pytest.approx(trace(sound))


def test_a_sound_that_stands_still_leaves_no_error() -> None:
    with pytest.raises(UndefinedError, match="does not move"):
        trace_error([[0.0, 1.0]], [[2.0, 2.0]])
    with pytest.raises(ValueError, match="shapes must be equal"):
        trace_error([[0.0, 1.0]], [[2.0, 2.0, 3.0]])


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_settling_does_not_depend_on_scale_offset_or_the_order_of_clips(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.normal(size=(4, 5))
    s = settling(p)
    assert (s[0], s[-1]) == (1.0, 0.0)
    np.testing.assert_allclose(settling(shift - scale * p[rng.permutation(4)]), s, rtol=1e-6, atol=1e-9)
