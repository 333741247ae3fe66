from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from baselines import IDS, SUBMISSIONS, baseline, make_item, tiny_items, tiny_model
from earwitness.datasets import scenes
from earwitness.explaining.audiogenx_released import SingleSteps
from earwitness.models.musicgen import from_pretrained
from earwitness.submission import read_submission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.models.musicgen import MusicgenModel
    from earwitness.tracks.prompt import PromptItem


def long_enough() -> tuple[PromptItem, ...]:
    """Items in which there is something to choose."""
    return tuple(item for item in tiny_items() if len(item.tokens) > 2)


def test_the_objective_is_the_papers_evaluated_step_by_step() -> None:
    model, item = tiny_model(), tiny_items()[0]
    explainer = baseline("audiogenx").explainer
    mask = np.random.default_rng(0).random((item.codes.shape[1], len(item.tokens)))
    kept = torch.as_tensor(mask * ~item.special, dtype=torch.float32)[None]
    removed = torch.as_tensor((1 - mask) * ~item.special, dtype=torch.float32)[None]
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    original, factual, counterfactual = (
        model.hidden(codes, text, given)[0].double().numpy() for given in (None, kept, removed)
    )
    cosine = [
        (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        for a, b in ((original, factual), (original, counterfactual))
    ]
    size, norm = kept.sum().item(), kept.square().sum().sqrt().item()
    expected = -cosine[0].sum() + cosine[1].sum() + 1e-3 * size + 0.1 * norm
    assert explainer.objectives(model, [item], [mask])[0] == pytest.approx(expected, abs=1e-3)


def reached(model: MusicgenModel, items: Sequence[PromptItem], trained: Any) -> dict[str, np.ndarray]:
    """Objectives [B], special tokens being out, of the maps of every other submission and of AudioGenX as `trained`."""
    others = [name for name in IDS if not name.startswith("audiogenx")]
    explainers = {name: baseline(name).explainer for name in others} | {"audiogenx": trained}
    frames = items[0].codes.shape[1]
    maps = {name: explainer.explain_batch(model, items) for name, explainer in explainers.items()}
    return {
        name: trained.objectives(model, items, [each.framewise(frames)[0] for each in found])
        for name, found in maps.items()
    }


def test_training_reaches_a_lower_objective_than_any_other_entrants_mask() -> None:
    objectives = reached(
        tiny_model(), long_enough(), baseline("audiogenx").build(average="none", special=False, epochs=150)
    )
    best = objectives.pop("audiogenx")
    for name, others in objectives.items():
        assert (best < others).all(), name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_on_the_micro_model_15_epochs_beat_every_other_entrants_mask() -> None:
    model = from_pretrained(str(SUBMISSIONS.parent / "tasks" / "micro_prompt" / "model"))
    records = scenes.load(split="validation", items=8, seed=1)
    items = [make_item(model, record.prompt, seed) for seed, record in enumerate(records)]
    objectives = reached(model, items, baseline("audiogenx").build(average="none", special=False, epochs=15, lr=1e-2))
    for name, found in objectives.items():
        print(f"\n{name}: mean objective {found.mean():.3f}", end="")
    best = objectives.pop("audiogenx")
    for name, others in objectives.items():
        assert best.mean() < others.mean(), name


def test_the_entry_of_the_papers_name_runs_the_published_settings() -> None:
    explainer = baseline("audiogenx").explainer
    named = ("epochs", "lr", "weight_decay", "temperature", "width", "size", "norm", "removal")
    # explain.py of the release (lr, epochs, beta, gamma, weight decay) and its mask.py (width, temperature).
    assert [getattr(explainer, name) for name in named] == [50, 1e-3, 1e-3, 1.0, 512, 1e-3, 0.1, "scale"]


def test_its_time_average_is_a_control_that_does_not_know_when() -> None:
    card, published = (read_submission(SUBMISSIONS / name).card for name in ("audiogenx_time_average", "audiogenx"))
    assert (card.kind, card.stochastic) == ("control", published.stochastic)
    ours, theirs = (each.explainers["prompt"] for each in (card, published))
    assert ours.parameters == theirs.parameters | {"average": "all"}
    item, frames = tiny_items()[0], tiny_items()[0].codes.shape[1]
    control, explainer = (
        baseline(name).build(average=each.parameters["average"], epochs=3)
        for name, each in (("audiogenx_time_average", ours), ("audiogenx", theirs))
    )
    whole, *halves = (replace(item, frames=span) for span in (None, (0, frames // 2), (frames // 2, frames)))
    plain = control.explain(tiny_model(), whole).weights
    # Where the whole sound is asked for it is AudioGenX; of any other frames it says the same, and AudioGenX does not.
    np.testing.assert_array_equal(plain, explainer.explain(tiny_model(), whole).weights)
    for half in halves:
        np.testing.assert_array_equal(plain, control.explain(tiny_model(), half).weights)
        assert not np.allclose(plain, explainer.explain(tiny_model(), half).weights, atol=1e-6)


def test_the_buffered_gradient_is_autograds() -> None:
    module = baseline("audiogenx").module
    shapes = [(2, 3 * 5, 4), (6, 5, 1), (6, 1, 5), (6, 1)]
    generator = torch.Generator().manual_seed(0)
    first, *rest = (torch.randn(shape, generator=generator) for shape in shapes)
    states, target = torch.randn(2, 7, 4, generator=generator), torch.randn(2, 3, 7, generator=generator)
    plain = first.clone().requires_grad_()
    hidden = (plain @ states.transpose(1, 2)).view(6, 5, 7) + rest[0]
    active = torch.where(hidden > 0, hidden, 0.25 * hidden)
    logits = ((rest[1] @ active)[:, 0] + rest[2]).view(2, 3, 7)
    (logits * target).sum().backward()
    networks = module.FrameNetworks(first.clone(), [tensor.clone() for tensor in rest])
    found = networks.logits(states)
    (found * target).sum().backward()
    torch.testing.assert_close(found, logits)
    torch.testing.assert_close(networks.first.grad, plain.grad)


def test_the_released_procedure_gives_a_noisy_mask_and_leaves_the_model_as_it_was() -> None:
    model, item = tiny_model(), tiny_items()[0]
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    before = model.logits(codes, text)
    found = baseline("audiogenx").build(procedure="released", epochs=2).explain(model, item)
    found.check(item)
    torch.testing.assert_close(model.logits(codes, text), before, rtol=0, atol=0)


def test_a_single_step_without_history_reads_one_column_of_codes() -> None:
    model, item = tiny_model(), tiny_items()[0]
    steps = SingleSteps(model, item)
    found = steps.hidden(torch.ones(len(steps.columns), len(item.tokens)))
    torch.testing.assert_close(found[0], steps.original[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found[5], steps.original[5], atol=1e-2)


def test_the_released_procedure_trains_on_every_step_of_the_delay_pattern() -> None:
    model, item = tiny_model(), tiny_items()[0]
    codebooks, frames = item.codes.shape
    steps = SingleSteps(model, item)
    assert len(steps.original) == len(steps.columns) == frames + codebooks - 1
    whole = model.hidden(torch.as_tensor(item.codes)[None], model.encode([item.prompt]))[0]
    torch.testing.assert_close(steps.original[:frames], whole, rtol=1e-4, atol=1e-4)
    for k in range(codebooks):
        np.testing.assert_array_equal(steps.columns[k + 1 :, k][:frames], item.codes[k, : len(steps.columns) - k - 1])


def test_the_end_of_the_sentence_is_in_both_masks_and_in_the_penalties_of_the_released_procedure() -> None:
    model, item = tiny_model(), tiny_items()[0]
    steps = SingleSteps(model, item)
    weights = torch.full((len(steps.columns), len(item.tokens)), 0.5)
    other = weights.clone()
    other[:, torch.as_tensor(item.special)] = 0.9
    plain, moved = steps.terms(weights, weights), steps.terms(other, other)
    for one, two in zip(plain, moved, strict=True):
        assert abs(float(one - two)) > 1e-3
    assert float(moved.size - plain.size) == pytest.approx(0.4 * len(steps.columns) * item.special.sum(), rel=1e-5)


@pytest.mark.parametrize("special", [True, False])
def test_special_tokens_take_part_in_causal_masks_where_they_are_asked_for(special: bool) -> None:
    batch = baseline("audiogenx").module.prepare(tiny_model(), tiny_items(), special)
    for taking_part, own, item in zip(batch.explained[:, 0], batch.text.mask, tiny_items(), strict=True):
        length = len(item.tokens)
        expected = np.ones(length) if special else ~item.special
        np.testing.assert_array_equal(taking_part[:length], expected)
        assert own.sum() == length
        assert not taking_part[length:].any(), "padding"


def test_maps_trained_with_special_tokens_are_others_than_those_trained_without() -> None:
    item = long_enough()[0]
    with_them, without = (
        baseline("audiogenx").build(special=special, epochs=3).explain(tiny_model(), item).weights
        for special in (True, False)
    )
    assert not np.allclose(with_them, without, atol=1e-6)
    assert not with_them[item.special].any()
