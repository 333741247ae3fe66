"""Drawn signs are the same whether a drawing is kept for the next family or not."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.stats import flips


@pytest.mark.parametrize(("draws", "chunk"), [(1000, 300), (1000, 5000), (0, 10)])
def test_a_kept_drawing_is_the_one_that_would_be_drawn_again(
    monkeypatch: pytest.MonkeyPatch, draws: int, chunk: int
) -> None:
    kept = [list(flips.signs(20, draws, seed=3, chunk=chunk)) for _ in range(2)]
    monkeypatch.setattr(flips, "KEPT", -1)
    drawn = list(flips.signs(20, draws, seed=3, chunk=chunk))
    for found in kept:
        assert [len(some) for some in found] == [len(some) for some in drawn]
        assert all(np.array_equal(some, other) for some, other in zip(found, drawn, strict=True))
    assert sum(map(len, drawn)) == draws + 1


def test_a_kept_drawing_cannot_be_changed() -> None:
    *_, last = flips.signs(20, 100)
    with pytest.raises(ValueError, match="read-only"):
        last[0, 0] = 0
