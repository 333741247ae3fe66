"""The floors' own arithmetic: replaced words and levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earwitness.authoring.training.floors import level_db, replace_fillers, summary
from earwitness.worlds.scene_captions import PUBLIC


def test_every_filler_is_replaced_by_another_and_nothing_else() -> None:
    prompt = "listen the loud dog and more"
    for seed in range(20):
        words = replace_fillers(prompt, np.random.default_rng(seed), PUBLIC.fillers).split()
        assert words[2:4] == ["loud", "dog"]
        for before, after in zip(prompt.split(), words, strict=True):
            if before in PUBLIC.fillers:
                assert after in PUBLIC.fillers
                assert after != before


def test_a_tenth_of_full_scale_is_minus_twenty_decibel_and_silence_minus_a_hundred() -> None:
    levels = level_db(torch.stack([torch.full((100,), 0.1), torch.zeros(100)]))
    assert levels.tolist() == pytest.approx([-20.0, -100.0])


def test_a_summary_is_one_line_of_names_and_figures() -> None:
    assert summary({"a": 0.5, "b": 1.0}) == "a 0.500  b 1.000"
