"""The training loop: it learns, it resumes to the same weights, and a schedule is what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earwitness.authoring.training import train
from earwitness.authoring.training.loop import Loss, TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.prompt import WordMasking, build_tokenizer, delayed
from earwitness.errors import EarwitnessError

WORDS = ["the", "loud", "dog", "nearby"]


def _problem() -> tuple[nn.Module, Loss]:
    torch.manual_seed(0)
    module = nn.Linear(3, 1)

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        x = torch.from_numpy(rng.standard_normal((16, 3)).astype(np.float32))
        return (module(x) - x.sum(1, keepdim=True)).square().mean()

    return module, loss


def test_a_linear_problem_is_learned(tmp_path: Path) -> None:
    module, loss = _problem()
    seconds = fit(
        module, loss, TrainingPlan("linear", 300, 0.05, seed=0, warm_up=10), TrainingCheckpoint(tmp_path / "a.pt")
    )
    assert seconds > 0
    assert not module.training
    torch.testing.assert_close(module.weight, torch.ones(1, 3), atol=0.05, rtol=0)


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    plan = TrainingPlan("linear", 40, 0.05, seed=0, warm_up=10)
    whole, loss = _problem()
    fit(whole, loss, plan, TrainingCheckpoint(tmp_path / "whole.pt"))

    stopped, loss = _problem()

    def interrupt(checkpoint: TrainingCheckpoint) -> None:
        if checkpoint.step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(stopped, loss, plan, TrainingCheckpoint(tmp_path / "part.pt", every=0.0), interrupt)
    resumed, loss = _problem()
    checkpoint = TrainingCheckpoint(tmp_path / "part.pt")
    fit(resumed, loss, plan, checkpoint)
    assert checkpoint.step == 40
    assert torch.equal(resumed.weight, whole.weight)


def test_the_rate_warms_up_and_decays_to_its_final_share() -> None:
    plan = TrainingPlan("plan", 1000, 1.0, seed=0, warm_up=100, final_share=0.04)
    assert plan.rate(0) == pytest.approx(0.01)
    assert plan.rate(100) == pytest.approx(1.0)
    assert plan.rate(550) == pytest.approx(0.52)
    assert plan.rate(1000) == pytest.approx(0.04)


def test_codebook_k_runs_k_steps_late() -> None:
    codes = torch.tensor([[[1, 2, 3], [4, 5, 6]]])
    inputs, labels = delayed(codes, pad=9)
    assert inputs.tolist() == [[[9, 1, 2, 3], [9, 9, 4, 5]]]
    assert labels.tolist() == [[[1, 2, 3, -100], [-100, 4, 5, 6]]]


def test_the_tokenizer_ends_every_prompt_and_lowers_its_case() -> None:
    tokenizer = build_tokenizer(WORDS)
    assert tokenizer.convert_ids_to_tokens(tokenizer("The LOUD dog zzz").input_ids) == [
        "the",
        "loud",
        "dog",
        "<unk>",
        "</s>",
    ]


def test_masked_words_lose_id_and_state_and_some_rows_lose_everything() -> None:
    tokenizer = build_tokenizer(WORDS)
    masking, rng = WordMasking(tokenizer, 11), np.random.default_rng(0)
    text = masking.batch([WORDS] * 4000, rng)
    mask_id = tokenizer.mask_token_id
    own = text.attended[0].nonzero().squeeze(1)
    assert own.tolist() == [0, 1, 2, 3, 4]
    hidden = text.ids[:, :4] == mask_id
    assert torch.equal(hidden, text.kept[:, :4] == 0)
    everything = (text.kept[:, :5] == 0).all(1).float().mean().item()
    assert 0.08 <= everything < 0.14
    assert 0.25 < hidden.any(1).float().mean().item() < 0.38
    excluded = (text.visible[:, :4] == 0) & hidden
    assert 0.3 < excluded.any(1).sum() / hidden.any(1).sum() < 0.6
    assert not (text.visible[:, 5:]).any()
    assert text.visible.any(1).all()


def test_a_task_without_a_recipe_is_refused_with_the_ones_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="micro_prompt"):
        train("no_such_task", tmp_path)


def test_a_second_cycle_begins_at_half_the_height_and_leaves_the_first_as_it_was() -> None:
    once, twice = TrainingPlan("once", 500, 1.0, seed=0), TrainingPlan("twice", 1000, 1.0, seed=0, cycles=2)
    assert [twice.rate(step) for step in range(500)] == pytest.approx([once.rate(step) for step in range(500)])
    assert twice.rate(500) == pytest.approx(0.5)
    assert twice.rate(750) == pytest.approx(0.27)
    assert twice.rate(999) == pytest.approx(0.04, abs=1e-4)
