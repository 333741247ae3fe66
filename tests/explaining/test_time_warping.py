from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from earwitness.explaining.encoder_steps import over_steps
from earwitness.explaining.time_warping import evidence, first_steps, median_filtered
from speech_baselines import fake_items, fake_model, speech_baseline


def best_sum(scores: np.ndarray) -> float:
    """Largest sum of a path through scores [R, E], over all paths from corner to corner."""
    rows, steps = scores.shape
    best = -np.inf
    stack = [((0, 0), float(scores[0, 0]))]
    while stack:
        (i, j), total = stack.pop()
        if (i, j) == (rows - 1, steps - 1):
            best = max(best, total)
        for k, m in ((i + 1, j), (i, j + 1), (i + 1, j + 1)):
            if k < rows and m < steps:
                stack.append(((k, m), total + float(scores[k, m])))
    return best


def sums_of_beginnings(scores: np.ndarray, begins: np.ndarray) -> list[float]:
    """Sums of the paths on which rows begin at these steps: a row ends where the next begins, or one step before."""
    rows, steps = scores.shape
    found = []
    for size in range(rows):
        for shared in combinations(range(rows - 1), size):
            ends = [begins[r + 1] + (r in shared) for r in range(rows - 1)] + [steps]
            if all(end > begin for begin, end in zip(begins, ends, strict=True)):
                found.append(sum(float(scores[r, begins[r] : ends[r]].sum()) for r in range(rows)))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_rows_begin_where_the_path_of_the_largest_sum_has_them(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(3, 5))
    begins = first_steps(scores)
    assert begins[0] == 0
    assert (np.diff(begins) >= 0).all()
    assert any(np.isclose(each, best_sum(scores)) for each in sums_of_beginnings(scores, begins))


def test_a_median_of_three_by_hand() -> None:
    assert median_filtered(np.array([[1.0, 9.0, 2.0, 3.0]]), 3).tolist() == [[9.0, 2.0, 3.0, 2.0]]
    assert median_filtered(np.array([4.0, 2.0]), 7).tolist() == [4.0, 2.0]
    with pytest.raises(ValueError, match=r"^width must be odd; found 4$"):
        median_filtered(np.zeros(9), 4)


def test_evidence_is_normalised_over_rows_before_heads_are_averaged() -> None:
    heads = np.array([[[0.1, 0.5], [0.3, 0.5]], [[20.0, 1.0], [10.0, 3.0]]])
    np.testing.assert_allclose(evidence(heads, 1), [[0.0, -0.5], [0.0, 0.5]], atol=1e-12)


def test_steps_are_found_again_where_frames_share_one() -> None:
    shares = torch.rand(2, 3, 4)
    step = torch.tensor([0, 0, 1, 1, 2, 2, 3])
    frames = shares[..., step] / torch.bincount(step)[step]
    found, where = over_steps(frames)
    torch.testing.assert_close(found, shares)
    assert torch.equal(where, step)


def test_a_words_tokens_share_its_frames_from_its_first_to_the_next_words() -> None:
    word_steps = speech_baseline("cross_attention_dtw").module.word_steps
    said = word_steps(np.array([0, 1, 3, 3, 5]), np.array([0, 0, 1, 2]), 6)
    assert said.astype(int).tolist() == [[1, 1, 1, 0, 0, 0]] * 2 + [[0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 0]]
    assert word_steps(np.array([0, 2]), np.array([0, 1]), 3).astype(int).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_words_are_where_the_fake_model_attends_in_their_order() -> None:
    item = fake_items()[0]
    found = speech_baseline("cross_attention_dtw").explainer.explain(fake_model(), item).spectrogram
    assert set(np.unique(found)) == {0.0, 1.0}
    assert (found == found[..., :1]).all()
    starts = [int(found[np.flatnonzero(item.words == word)[0], :, 0].argmax()) for word in range(item.words.max() + 1)]
    assert starts == sorted(starts)
    assert starts[0] == 0
    for word in range(item.words.max() + 1):  # the model's words lie in fifths of the time
        centre = (np.flatnonzero(item.words == word).mean() + 0.5) / 5 * len(item.features)
        assert abs(np.flatnonzero(found[np.flatnonzero(item.words == word)[0], :, 0]).mean() - centre) < 0.2 * len(
            item.features
        )


def test_heads_that_a_models_files_name_are_taken_and_the_upper_half_otherwise(tmp_path) -> None:
    explainer = speech_baseline("cross_attention_dtw").build()
    (tmp_path / "generation_config.json").write_text('{"alignment_heads": [[0, 1], [3, 0]]}', encoding="utf-8")
    named = SimpleNamespace(module=SimpleNamespace(name_or_path=str(tmp_path)))
    assert explainer.chosen(named, 4, 2) == [(0, 1), (3, 0)]
    upper = [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert speech_baseline("cross_attention_dtw").build(heads="upper").chosen(named, 4, 2) == upper
    assert explainer.chosen(SimpleNamespace(module=SimpleNamespace(name_or_path=str(tmp_path / "none"))), 4, 2) == upper
    assert explainer.chosen(fake_model(), 1, 2) == [(0, 0), (0, 1)]
