import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earwitness.metrics.responses.prompt import share
from earwitness.scoring.prompt.masks import by_word, complement, kept, mask, word_mask
from earwitness.tracks.prompt import PromptItem, TokenMap

SPECIAL = np.array([False, False, False, False, True])


def item(frames: int, asked: tuple[int, int] | None = None) -> PromptItem:
    tokens = ("a", "loud", "dog", "barks", "</s>")
    return PromptItem("x", "a loud dog barks", 0, 1, np.zeros((2, frames), np.int64), tokens, SPECIAL, asked)


def test_a_top_mask_keeps_the_heaviest_tokens_of_each_frame() -> None:
    weights = np.array([[0.1, 0.9, 0.8, 0.2, 1.0], [0.9, 0.1, 0.2, 0.8, 1.0]])
    found = mask("top50", TokenMap(weights), item(2), 0)
    assert found.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 1, 0]]


def test_the_soft_mask_is_the_weights_without_special_tokens() -> None:
    found = mask("soft", TokenMap(np.array([0.1, 0.9, 0.8, 0.2, 1.0])), item(2), 0)
    assert found.tolist() == [[0.1, 0.9, 0.8, 0.2, 0.0]] * 2


def test_the_complement_leaves_special_tokens_removed() -> None:
    found = complement(np.array([[1.0, 0.25, 0.0, 0.0, 0.0]]), SPECIAL)
    assert found.tolist() == [[0.0, 0.75, 1.0, 1.0, 0.0]]


def test_where_some_frames_are_asked_for_what_is_said_of_them_is_kept_throughout() -> None:
    weights = np.array([[0.9, 0.1, 0.0, 0.3, 1.0], [0.1, 0.2, 0.9, 0.0, 1.0], [0.1, 0.4, 0.7, 0.0, 1.0]])
    explanation, asked = TokenMap(weights), item(3, (1, 3))
    assert mask("top50", explanation, asked, 0).tolist() == [[0, 1, 1, 0, 0]] * 3
    np.testing.assert_allclose(mask("soft", explanation, asked, 0), [[0.1, 0.3, 0.8, 0.0, 0.0]] * 3)
    assert mask("top50", TokenMap(weights[0]), asked, 0).tolist() == [[1, 0, 0, 1, 0]] * 3


def test_order_tells_saturated_weights_apart() -> None:
    saturated = TokenMap(np.ones(5), order=np.array([5.0, 7.0, 9.0, 6.0, 99.0]))
    assert mask("top50", saturated, item(1), 0).tolist() == [[0, 1, 1, 0, 0]]


def test_order_never_overrules_weights() -> None:
    explanation = TokenMap(np.array([0.9, 0.1, 0.1, 0.1, 0.1]), order=np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert mask("top25", explanation, item(1), 0).tolist() == [[1, 0, 0, 0, 0]]


def test_a_constant_explanation_keeps_every_token_equally_often_and_the_same_in_every_frame() -> None:
    constant, counts = TokenMap(np.full(5, 0.5)), np.zeros(5)
    for seed in range(400):
        found = mask("top25", constant, item(3), seed)
        assert (found == found[0]).all()
        counts += found[0]
    assert counts[4] == 0
    # A binomial count of 400 draws with chance 1/4 has a standard deviation of 8.7.
    assert np.abs(counts[:4] - 100).max() < 5 * 8.7


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, (3, 5), elements=st.floats(0, 1)), st.sampled_from([10, 20, 30, 50, 100]))
def test_mass_is_matched_in_every_frame_whatever_the_weights(weights: np.ndarray, percent: int) -> None:
    found = mask(f"top{percent}", TokenMap(weights), item(3), 1)
    assert set(np.unique(found)) <= {0.0, 1.0}
    assert (found.sum(1) == kept(percent / 100, 4)).all()
    assert not found[:, 4].any()


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(4)))
def test_relabelled_tokens_give_the_relabelled_mask(order: list[int]) -> None:
    weights = np.array([0.4, 0.3, 0.2, 0.1, 0.0])
    moved = np.append(weights[order], 0.0)
    expected = mask("top50", TokenMap(weights), item(1), 0)[:, [*order, 4]]
    assert np.array_equal(mask("top50", TokenMap(moved), item(1), 0), expected)


@pytest.mark.parametrize("name", ["top", "top0", "top101", "top30 ", "bottom10", ""])
def test_an_unknown_mask_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no mask is called"):
        share(name)


def test_words_and_tokens_translate_into_each_other() -> None:
    owner = np.array([0, 0, 1, 2, -1])
    assert word_mask(np.array([True, False, True]), owner).tolist() == [1, 1, 0, 1, 0]
    weights = np.array([[0.25, 0.5, 0.75, 0.5, 1.0]])
    assert by_word(weights, owner).tolist() == [[0.75, 0.75, 0.5]]
    assert by_word(weights, owner, "max").tolist() == [[0.5, 0.75, 0.5]]
