import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from earwitness.metrics.agreement import interval_top1, shapley_spearman, word_ap
from earwitness.metrics.arrays import UndefinedError

scores = arrays(np.float64, 6, elements=st.integers(0, 3).map(float))
INTERVALS = [[0.0, 0.9], [1.0, 2.0]]


def test_average_precision_of_a_ranking_by_hand() -> None:
    # Relevant words stand at ranks 1 and 3: (1/1 + 2/3) / 2.
    assert word_ap([0.9, 0.8, 0.7, 0.1], [True, False, True, False]) == pytest.approx(5 / 6)


def test_the_reversed_truth_has_the_worst_average_precision() -> None:
    assert word_ap([0.0, 1.0, 1.0], [True, False, False]) == pytest.approx(1 / 3)


@settings(deadline=None, max_examples=30)
@given(scores, st.integers(1, 5), st.permutations(range(6)))
def test_tied_scores_do_not_profit_from_their_place(values: np.ndarray, count: int, order: list[int]) -> None:
    relevant = np.arange(6) < count
    assert word_ap(values[order], relevant[order]) == pytest.approx(word_ap(values, relevant))


@settings(deadline=None, max_examples=30)
@given(scores)
def test_average_precision_asks_for_the_order_alone(values: np.ndarray) -> None:
    relevant = [True, False, True, False, False, False]
    assert word_ap(3 * values + 1, relevant) == pytest.approx(word_ap(values, relevant))


@pytest.mark.parametrize("relevant", [[False, False], [True, True]])
def test_average_precision_needs_both_kinds_of_words(relevant) -> None:
    with pytest.raises(UndefinedError):
        word_ap([0.1, 0.2], relevant)


def test_each_frame_asks_for_the_word_of_the_event_that_sounds_alone() -> None:
    weights = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]
    # Frames at 0.2 and 0.5 belong to the first event, 0.95 to none, 1.5 to the second.
    assert interval_top1(weights, INTERVALS, [0.2, 0.5, 0.95, 1.5]) == pytest.approx(2 / 3)


def test_frames_in_which_both_events_sound_do_not_count() -> None:
    assert interval_top1([[1.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 2.0]], [0.5, 1.5]) == 1.0


def test_a_constant_explanation_is_right_half_of_the_time() -> None:
    assert interval_top1([[0.5, 0.5]] * 2, INTERVALS, [0.5, 1.5]) == pytest.approx(0.5)


def test_two_words_of_one_event_are_both_right() -> None:
    spans = [[0.0, 0.9], [0.0, 0.9], [1.0, 2.0]]
    assert interval_top1([[0.1, 0.9, 0.2]], spans, [0.5]) == 1.0
    assert interval_top1([[0.9, 0.9, 0.9]], spans, [0.5]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("spans", [[[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [0.5, 1.5]]])
def test_one_event_or_no_frame_alone_has_no_value(spans) -> None:
    with pytest.raises(UndefinedError):
        interval_top1([[0.5, 0.1]], spans, [0.75])


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, 7, elements=st.floats(-5, 5)), arrays(np.float64, 7, elements=st.floats(-5, 5), unique=True))
def test_spearman_agrees_with_scipy(a: np.ndarray, b: np.ndarray) -> None:
    expected = 0.0 if len(set(a.tolist())) == 1 else spearmanr(a, b).statistic
    assert shapley_spearman(a, b) == pytest.approx(expected, abs=1e-12)


def test_a_constant_explanation_puts_words_in_no_order() -> None:
    assert shapley_spearman([0.5, 0.5, 0.5], [1.0, 2.0, 3.0]) == 0.0


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0]])
def test_spearman_needs_words_that_differ(values) -> None:
    with pytest.raises(UndefinedError):
        shapley_spearman([0.1, 0.2][: len(values)], values)


def test_nan_is_refused() -> None:
    for call in (
        lambda: word_ap([np.nan, 1.0], [True, False]),
        lambda: shapley_spearman([np.nan, 1.0], [1.0, 2.0]),
        lambda: interval_top1([[np.nan, 1.0]], INTERVALS, [0.5]),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()
