import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.intervals import interval_ap, mass_inside, pointing


def literal(scores: list[float], relevant: list[bool]) -> float:
    total, last_recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [known for score, known in zip(scores, relevant, strict=True) if score >= threshold]
        recall = sum(chosen) / sum(relevant)
        total += (recall - last_recall) * sum(chosen) / len(chosen)
        last_recall = recall
    return total


def test_average_precision_is_that_of_a_literal_version() -> None:
    rng = np.random.default_rng(0)
    frames, inside = rng.random((4, 30)).round(1), rng.random((4, 30)) < 0.3
    expected = np.mean([literal(frames[k].tolist(), inside[k].tolist()) for k in range(4)])
    assert interval_ap(frames, inside) == pytest.approx(expected)


def test_tokens_without_a_known_interval_are_left_out() -> None:
    frames, inside = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[True, False], [False, False]])
    assert (interval_ap(frames, inside), pointing(frames, inside), mass_inside(frames, inside)) == (1.0, 1.0, 0.9)
    with pytest.raises(UndefinedError, match="known interval"):
        pointing(frames, np.zeros_like(inside))


def test_a_map_without_mass_counts_as_spread_evenly() -> None:
    assert mass_inside([[0.0, 0.0, 0.0, 0.0]], [[True, False, False, False]]) == 0.25


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape of frames"):
        pointing([[0.0, 1.0]], [[True]])
