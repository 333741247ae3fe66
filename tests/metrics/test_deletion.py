import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.deletion import (
    area,
    deletion_prefix,
    deletion_token,
    deletion_token_others,
    deletion_wer,
    insertion_wer,
)


def test_contributions_average_to_the_area_under_the_rate_of_the_corpus() -> None:
    errors, words = np.array([[0, 1, 2], [1, 2, 5], [0, 0, 3]]), np.array([2, 5, 3])
    contributions = [deletion_wer(e, w, words.mean()) for e, w in zip(errors, words, strict=True)]
    rates = errors.sum(0) / words.sum()
    assert np.mean(contributions) == pytest.approx((rates[0] / 2 + rates[1] + rates[2] / 2) / 2)


def test_a_transcript_of_more_errors_than_words_counts_as_wholly_wrong() -> None:
    assert deletion_wer([9, 9], 3, 3) == insertion_wer([3, 3], 3, 3) == 1.0


def test_a_transcript_without_words_has_no_rate() -> None:
    with pytest.raises(UndefinedError, match="no words"):
        deletion_wer([0, 1], 0, 2)


def test_a_token_that_gains_counts_as_whole() -> None:
    assert deletion_token([[[0.2, 0.4, 0.8]]]) == 1.0


def test_own_and_other_tokens_are_told_apart() -> None:
    p = np.ones((2, 2, 3))
    p[0, 0, 1:] = p[1, 1, 1:] = 0
    assert (deletion_token(p), deletion_token_others(p)) == (0.25, 0.0)
    p = p[::-1]
    assert (deletion_token(p), deletion_token_others(p)) == (1.0, 0.75)


def test_one_token_has_no_others_and_a_short_transcript_no_prefix() -> None:
    with pytest.raises(UndefinedError, match="one token"):
        deletion_token_others([[[1.0, 0.5]]])
    with pytest.raises(UndefinedError, match="two tokens before"):
        deletion_prefix([])


def test_a_probability_of_nothing_does_not_divide_by_zero() -> None:
    assert 0 <= deletion_token([[[0.0, 0.0, 0.0]]]) <= 1


def test_the_area_of_a_line_is_its_mean() -> None:
    assert area(np.linspace(1, 0, 21)) == pytest.approx(0.5)
    with pytest.raises(UndefinedError, match="two points"):
        area([1.0])


def test_shares_that_are_not_even_weigh_their_stretch() -> None:
    shares = np.array([0.0, 0.01, 0.1, 1.0])
    assert area(1 - shares, shares) == pytest.approx(0.5)
    assert area(np.linspace(1, 0, 21), np.linspace(0, 1, 21)) == pytest.approx(area(np.linspace(1, 0, 21)))
    assert deletion_wer([0, 2, 2, 2], 2, 2, shares) == pytest.approx(1 - 0.01 / 2)
    assert deletion_token([[[0.5, 0.0, 0.0, 0.0]]], shares) == pytest.approx(0.01 / 2)
    with pytest.raises(ValueError, match="shares"):
        area([1.0, 0.0], shares)
