"""What shipped cards say of budgets and of the explainer seed, held against the explainers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from band_baselines import BAND_IDS, band_baseline, band_items, band_model
from baselines import IDS, SUBMISSIONS, baseline, tiny_items, tiny_model
from concept_baselines import CONCEPT_IDS, concept_baseline, concept_world
from earwitness import registry
from earwitness.errors import InvalidCardError
from earwitness.submission import Submission, load_explainer, read_submission
from speech_baselines import SPEECH_IDS, fake_items, fake_model, quick_speech

ITERATED = {"epochs", "steps", "masks", "coalitions", "samples", "iterations"}
"""Parameters that are a budget, whatever else is."""
LAYERS = ("gradient_attention", "band")
"""Reads layers of a pipeline, which the fake model has not; it draws noise by the item's own seed."""
IDS_OF = {"prompt": IDS, "speech": SPEECH_IDS, "band": BAND_IDS, "concept": CONCEPT_IDS}
PAIRS = [(name, track) for track, names in IDS_OF.items() for name in names if (name, track) != LAYERS]


def explained_twice(name: str, track: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Arrays of two explanations of one item under two explainer seeds, by as small a budget as shows the seed."""
    explainer: Any
    item: Any
    if track == "prompt":
        few = {"epochs": 2, "coalitions": 4}
        own = vars(baseline(name).explainer)
        explainer = baseline(name).build(**{**own, **{key: value for key, value in few.items() if key in own}})
        model, item = tiny_model(), tiny_items()[2]
    elif track == "speech":
        explainer, model, item = quick_speech(name), fake_model(), fake_items()[0]
    elif track == "band":
        explainer, model, item = band_baseline(name).explainer, band_model(), band_items()[0]
    else:
        explainer, model, item = concept_baseline(name, epochs=1), None, concept_world(clips=10)[1]
    other = {"explainer_seeds": (7, 8)} if track == "concept" else {"explainer_seed": 7}
    return tuple(explainer.explain(model, each).arrays() for each in (item, replace(item, **other)))  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "track"), PAIRS)
def test_a_card_says_whether_explanations_hang_on_the_explainer_seed(name: str, track: str) -> None:
    said = read_submission(SUBMISSIONS / name).card.stochastic
    first, second = explained_twice(name, track)
    differs = any(not np.array_equal(first[key], second[key]) for key in first)
    assert said is differs


BUDGETS = [
    (name, track, parameter)
    for name, track in PAIRS
    for parameter in sorted(
        {*ITERATED, "prefix_masks", "seeds"}
        & set(read_submission(SUBMISSIONS / name).card.explainers[track].parameters)
    )
]


@pytest.mark.parametrize(("name", "track", "parameter"), BUDGETS)
def test_a_budget_below_what_a_method_can_do_is_refused_in_one_line(name: str, track: str, parameter: str) -> None:
    submission = read_submission(SUBMISSIONS / name)
    card = submission.card.explainers[track]
    card = card.model_copy(update={"parameters": {**card.parameters, parameter: 0}})
    explainers = {**submission.card.explainers, track: card}
    without = Submission(submission.card.model_copy(update={"explainers": explainers}), submission.folder)
    with pytest.raises(InvalidCardError, match=rf"parameter {parameter} must be greater than or equal to \d") as caught:
        load_explainer(without, track)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "track"), PAIRS)
def test_every_stochastic_or_iterative_baseline_has_a_budget_curve(name: str, track: str) -> None:
    card = read_submission(SUBMISSIONS / name).card
    explainer = card.explainers[track]
    if card.kind == "baseline" and (card.stochastic or ITERATED & set(explainer.parameters)):
        assert explainer.curve is not None
        assert explainer.budget in explainer.curve.values


@pytest.mark.parametrize("name", sorted({name for name, _ in PAIRS}))
def test_an_explainer_takes_every_budget_of_its_curve(name: str) -> None:
    submission = read_submission(SUBMISSIONS / name)
    for track, card in submission.card.explainers.items():
        for value in card.curve.values if card.curve else ():
            if value != card.budget:
                explainer = load_explainer(submission.at(value), track)
                assert card.curve is not None
                assert getattr(explainer, card.curve.parameter) == value


def test_a_budget_below_what_a_method_can_do_is_one_line() -> None:
    with pytest.raises(InvalidCardError, match=r"track prompt: parameter coalitions must be .* equal to 4, not 2$"):
        load_explainer(registry.submission("kernel_shap_at_2"), "prompt")
