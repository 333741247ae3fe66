"""What every submission of the prompt track keeps to."""

from __future__ import annotations

import numpy as np
import pytest

from baselines import IDS, SUBMISSIONS, baseline, make_item, quick, tiny_items, tiny_model
from earwitness.submission import read_submission

ISSUE = (
    "random uniform attention occlusion atman gradient_input integrated_gradients grad_cam chefer kernel_shap audiogenx"
)
MODEL_FREE = {"random", "uniform"}


def test_every_baseline_of_the_prompt_track_is_there() -> None:
    assert set(ISSUE.split()) <= set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_a_folder_is_named_after_its_card_and_has_a_page_for_people(name: str) -> None:
    assert read_submission(SUBMISSIONS / name).id == name
    assert (SUBMISSIONS / name / "README.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", IDS)
def test_a_batch_gives_each_item_the_map_it_gets_alone(name: str) -> None:
    explainer = quick(name)
    for item, batched in zip(tiny_items(), explainer.explain_batch(tiny_model(), tiny_items()), strict=True):
        batched.check(item)
        if item.prompt == "rain":
            continue  # one word: what is left after it is rounding, blown up to a map
        alone = explainer.explain(tiny_model(), item)
        np.testing.assert_allclose(batched.weights, alone.weights, atol=2e-4)


@pytest.mark.parametrize("name", IDS)
def test_the_same_seed_gives_the_same_map(name: str) -> None:
    explainer, item = quick(name), tiny_items()[0]
    first, second = explainer.explain(tiny_model(), item), explainer.explain(tiny_model(), item)
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize("name", sorted(set(IDS) - MODEL_FREE))
def test_special_tokens_get_no_weight(name: str) -> None:
    for item, found in zip(tiny_items(), quick(name).explain_batch(tiny_model(), tiny_items()), strict=True):
        assert not found.framewise(item.codes.shape[1])[0][:, item.special].any()


@pytest.mark.parametrize("name", IDS)
def test_a_prompt_without_words_gets_a_map(name: str) -> None:
    item = make_item(tiny_model(), "", 9)
    assert item.special.all()
    quick(name).explain(tiny_model(), item).check(item)


@pytest.mark.parametrize("name", [name for name in IDS if hasattr(baseline(name).explainer, "framewise")])
def test_a_map_of_the_whole_sound_is_one_row_and_a_framewise_one_has_a_row_for_every_frame(name: str) -> None:
    item = tiny_items()[0]
    shapes = {
        framewise: baseline(name).build(framewise=framewise).explain(tiny_model(), item).weights.shape
        for framewise in (False, True)
    }
    assert shapes == {False: (len(item.tokens),), True: (item.codes.shape[1], len(item.tokens))}
