"""What every submission of the prompt track keeps to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines import IDS, SUBMISSIONS, baseline, make_item, quick, tiny_items, tiny_model
from earwitness.submission import read_submission
from earwitness.tracks.prompt import PromptItem

ISSUE = (
    "random uniform attention occlusion atman gradient_input integrated_gradients grad_cam gradient_attention "
    "chefer kernel_shap audiogenx smooth_grad lime shapley_sampling attention_rollout"
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


AVERAGED = [name for name in IDS if hasattr(baseline(name).explainer, "average")]


@pytest.mark.parametrize("name", AVERAGED)
def test_a_map_is_one_row_unless_a_row_for_every_frame_is_wanted(name: str) -> None:
    item = tiny_items()[0]
    shapes = {
        average: baseline(name).build(average=average).explain(tiny_model(), item).weights.shape
        for average in ("asked", "all", "none")
    }
    row = (len(item.tokens),)
    assert shapes == {"asked": row, "all": row, "none": (item.codes.shape[1], *row)}


@pytest.mark.parametrize("name", AVERAGED)
def test_what_is_said_of_some_frames_is_another_thing_than_what_is_said_of_all(name: str) -> None:
    item = tiny_items()[0]
    some = replace(item, frames=(0, item.codes.shape[1] // 2))

    def order(average: str, asked: PromptItem) -> np.ndarray:
        found = baseline(name).build(average=average).explain(tiny_model(), asked)
        return found.asked(item)[1]

    assert not np.allclose(order("asked", some), order("asked", item))
    np.testing.assert_allclose(order("asked", item), order("all", item))
