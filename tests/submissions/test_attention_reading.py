from __future__ import annotations

import numpy as np
import torch

from baselines import baseline, tiny_items, tiny_model


def test_rows_are_mean_attention_shared_among_the_texts_tokens() -> None:
    model, item = tiny_model(), tiny_items()[0]
    found = baseline("attention").build(average="none").explain(model, item).weights
    attention = model.cross_attention(torch.as_tensor(item.codes)[None], model.encode([item.prompt]))[0].double()
    shares = attention.mean((0, 1))[:, ~torch.as_tensor(item.special)]
    shares = shares / shares.sum(1, keepdim=True)
    np.testing.assert_allclose(found[:, ~item.special], (shares / shares.max()).numpy(), atol=1e-6)


def test_the_maximum_over_heads_is_another_map() -> None:
    model, item = tiny_model(), tiny_items()[0]
    mean = baseline("attention").explainer.explain(model, item).weights
    assert not np.allclose(mean, baseline("attention").build(reduce="max").explain(model, item).weights)
