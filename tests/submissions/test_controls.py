from __future__ import annotations

from dataclasses import replace

import numpy as np

from baselines import baseline, tiny_items, tiny_model


def test_another_explainer_seed_gives_other_weights() -> None:
    item = tiny_items()[0]
    first = baseline("random").explainer.explain(tiny_model(), item).weights
    second = baseline("random").explainer.explain(tiny_model(), replace(item, explainer_seed=1)).weights
    assert first.shape == (len(item.tokens),)
    assert not np.isclose(first, second).any()


def test_every_frame_draws_its_own_weights_if_asked() -> None:
    item = tiny_items()[0]
    found = baseline("random").build(framewise=True).explain(tiny_model(), item).weights
    assert found.shape == (item.codes.shape[1], len(item.tokens))
    assert not np.isclose(found[0], found[1]).any()


def test_uniform_says_the_same_of_every_token() -> None:
    assert set(baseline("uniform").explainer.explain(tiny_model(), tiny_items()[0]).weights) == {0.5}
