"""TopK and BatchTopK dictionaries against dictionary_learning and SAELens: a step's gradients, and what they reach.

`EARWITNESS_REFERENCES=FOLDER pytest -m reference -s tests/reference/test_dictionaries.py`, with sae-lens installed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from concept_baselines import concept_baseline, concept_world
from earwitness import registry
from earwitness.datasets import tones
from earwitness.explaining.latents import scaled
from earwitness.explaining.sparse import SparseAutoencoder, least_active, of_batch, of_frame
from earwitness.explaining.training import Plan
from earwitness.metrics.reconstruction import fvu
from earwitness.scoring import loading
from earwitness.stats.verdicts import Gains, judged
from reference.references import Checkout, package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

pytestmark = pytest.mark.reference

LIBRARY = Checkout("saprmarks/dictionary_learning", "60ec6bf")
TASKS, STUDIES, SEEDS = ("micro_concept", "micro_concept_quantised"), 6, (0, 1)
PLAN, K, EXPANSION = Plan(epochs=30, batch=512, rate=8e-3), 8, 8
MARGIN = 0.05
"""Of the logarithm of the unexplained variance."""
CHOICES = {"top_k": of_frame, "batch_top_k": of_batch}


def trainer(kind: str, width: int, features: int, steps: int, seed: int) -> Any:
    """Theirs, at our largest rate (more than its own leaves less unexplained here) and with our way up and down."""
    found = LIBRARY.module("dictionary_learning", f"trainers.{kind}")
    made = found.TopKTrainer if kind == "top_k" else found.BatchTopKTrainer
    rising, falling = max(1, int(PLAN.rise * steps)), int((1 - PLAN.fall) * steps)
    settings = {"warmup_steps": rising, "decay_start": falling, "threshold_start_step": steps // 2}
    named = {"layer": 0, "lm_name": "none", "device": "cpu"}
    return made(steps, width, features, K, lr=PLAN.rate, seed=seed, **settings, **named)


def batches(frames: NDArray[np.float32], seed: int) -> Iterator[torch.Tensor]:
    """As many as ours has, each epoch in another order."""
    rng, size = np.random.default_rng(seed), PLAN.batch
    for _ in range(PLAN.epochs):
        order = rng.permutation(len(frames))
        for number in range(len(frames) // size):
            yield torch.from_numpy(frames[order[number * size : (number + 1) * size]])


@pytest.mark.parametrize("kind", CHOICES)
def test_a_step_has_the_gradients_of_dictionary_learning(kind: str) -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    theirs = trainer(kind, 16, 128, 100, seed=0)
    ours = SparseAutoencoder(128, 16, K, seed=0, choice=CHOICES[kind], clip=0.0)
    theirs.ae.encoder.weight.data, theirs.ae.decoder.weight.data = ours.encoder.clone(), ours.decoder.T.clone()
    theirs.loss(frames, step=0).backward()
    module = LIBRARY.module("dictionary_learning", "trainers.trainer")
    straight = module.remove_gradient_parallel_to_decoder_directions(
        theirs.ae.decoder.weight, theirs.ae.decoder.weight.grad, 16, 128
    )
    ours.step(frames)
    expected = (theirs.ae.encoder.weight.grad, theirs.ae.encoder.bias.grad, straight.T, theirs.ae.b_dec.grad)
    for mine, gradient in zip(ours.parameters, expected, strict=True):
        assert mine.grad is not None
        np.testing.assert_allclose(16 * mine.grad.numpy(), gradient.numpy(), rtol=1e-4, atol=1e-5)


def of_dictionary_learning(name: str, module: str, made: str, seed: int = 0, **settings: Any) -> tuple[Any, Any, Any]:
    """Our explainer, its weights, and their trainer with the same weights, thresholds apart."""
    explainer = concept_baseline(name, clip=0.0)
    weights = explainer.weights(128, 16, seed)
    given = {"layer": 0, "lm_name": "none", "device": "cpu", "warmup_steps": 1, "decay_start": None, **settings}
    theirs = getattr(LIBRARY.module("dictionary_learning", f"trainers.{module}"), made)(100, 16, 128, **given)
    return explainer, weights, theirs


def straight(gradient: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
    """A decoder's gradient [C, D] without what lies along its rows."""
    return gradient - (gradient * decoder).sum(1, keepdim=True) * decoder


def held_against(explainer: Any, weights: Any, expected: dict[str, torch.Tensor], frames: torch.Tensor) -> None:
    explainer.gradients(weights, frames, 1.0)
    for name, gradient in expected.items():
        own = weights.others[name] if name in weights.others else getattr(weights, name)
        np.testing.assert_allclose(own.grad.numpy(), gradient.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_step_of_the_gated_dictionary_has_the_gradients_of_dictionary_learning() -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    settings = {"l1_penalty": 1.0, "sparsity_warmup_steps": None}
    explainer, weights, theirs = of_dictionary_learning("sae_gated", "gdm", "GatedSAETrainer", **settings)
    theirs.ae.encoder.weight.data, theirs.ae.decoder.weight.data = weights.encoder.data, weights.decoder.data.T
    theirs.loss(frames, step=0).backward()
    expected = {
        "encoder": theirs.ae.encoder.weight.grad,
        "bias": theirs.ae.gate_bias.grad,
        "decoder": straight(theirs.ae.decoder.weight.grad.T, weights.decoder.data),
        "offset": theirs.ae.decoder_bias.grad,
        "scale": theirs.ae.r_mag.grad,
        "size": theirs.ae.mag_bias.grad,
    }
    held_against(explainer, weights, expected, frames)


def test_a_step_of_the_matryoshka_dictionary_has_the_gradients_of_dictionary_learning() -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    fractions = [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
    # Its weights of groups are 1 / 5 each, and their mean is taken once more.
    settings = {"k": 8, "group_fractions": fractions, "group_weights": [1.0] * 5}
    name = ("matryoshka_batch_top_k", "MatryoshkaBatchTopKTrainer")
    explainer, weights, theirs = of_dictionary_learning("sae_matryoshka", *name, **settings)
    theirs.ae.W_enc.data, theirs.ae.W_dec.data = weights.encoder.data.T, weights.decoder.data.clone()
    theirs.loss(frames, step=0).backward()
    expected = {
        "encoder": theirs.ae.W_enc.grad.T,
        "bias": theirs.ae.b_enc.grad,
        "decoder": straight(theirs.ae.W_dec.grad, weights.decoder.data),
        "offset": theirs.ae.b_dec.grad,
    }
    held_against(explainer, weights, expected, frames)


def test_a_step_of_jumprelu_has_the_gradients_of_dictionary_learning_but_for_what_its_page_names() -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    settings = {"bandwidth": 0.5, "sparsity_penalty": 0.0, "sparsity_warmup_steps": None}
    explainer, weights, theirs = of_dictionary_learning("sae_jumprelu", "jumprelu", "JumpReluTrainer", **settings)
    explainer.penalty = 0.0
    theirs.ae.W_enc.data, theirs.ae.W_dec.data = weights.encoder.data.T, weights.decoder.data.clone()
    theirs.ae.threshold.data = weights.others["threshold"].data.clone()
    theirs.loss(frames, step=0).backward()
    expected = {
        "encoder": theirs.ae.W_enc.grad.T,
        "bias": theirs.ae.b_enc.grad,
        "decoder": straight(theirs.ae.W_dec.grad, weights.decoder.data),
        "threshold": theirs.ae.threshold.grad,
    }
    held_against(explainer, weights, expected, frames)


@cache
def latents(task: str, study: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Training and test frames [T, D] of a validation study."""
    torch.set_num_threads(1)
    card = registry.task(task)
    model = loading.load_model(card, "cpu")
    found = tones.load(split="validation", items=STUDIES, **card.card.dataset.parameters)[study]

    def frames(clips: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        with torch.no_grad():
            parts = [model.encode(part, model.kind) for part in torch.from_numpy(np.stack(clips)).split(50)]
        return torch.cat(parts).flatten(0, 1).numpy()

    return frames(found.train.audio(model.sample_rate)), frames(found.test.audio(model.sample_rate))


def unexplained_by_ours(kind: str, task: str, study: int, seed: int) -> float:
    """Fraction of a study's test variance."""
    train, test = latents(task, study)
    offset, scale = train.mean(0), np.sqrt(train.var(0).mean())
    given, held = ((part - offset) / scale for part in (train, test))
    model = SparseAutoencoder(EXPANSION * train.shape[1], train.shape[1], K, seed, CHOICES[kind]).fit(given, PLAN)
    if kind == "top_k":
        codes = model.codes(torch.from_numpy(held)).toarray()
    else:
        pre = model.pre(torch.from_numpy(held))
        codes = np.where(pre >= least_active(model, given, PLAN.batch), pre, 0)
    return fvu(test, (codes @ model.decoder.numpy() + model.offset.numpy()) * scale + offset)


def unexplained_by_dictionary_learning(kind: str, task: str, study: int, seed: int) -> float:
    """The same by its trainer, on latents as they are."""
    train, test = latents(task, study)
    theirs = trainer(kind, train.shape[1], EXPANSION * train.shape[1], PLAN.steps(len(train)), seed)
    for number, batch in enumerate(batches(train, seed)):
        theirs.update(number, batch)
    with torch.no_grad():
        codes = theirs.ae.encode(torch.from_numpy(test), use_threshold=kind == "batch_top_k")
        return fvu(test, theirs.ae.decode(codes).numpy())


def unexplained_by_sae_lens(kind: str, task: str, study: int, seed: int) -> float:
    """The same by its TopK and BatchTopK training, clipped at 1 as its trainer clips."""
    lens = package("sae-lens", "sae_lens", "6.54.12")
    train, test = latents(task, study)
    width, steps = train.shape[1], PLAN.steps(len(train))
    torch.manual_seed(seed)
    name = "TopK" if kind == "top_k" else "BatchTopK"
    config = getattr(lens, f"{name}TrainingSAEConfig")(
        d_in=width, d_sae=EXPANSION * width, k=K, dtype="float32", device="cpu"
    )
    theirs = getattr(lens, f"{name}TrainingSAE")(config)
    optimiser = torch.optim.Adam(theirs.parameters(), lr=PLAN.rate)
    idle = torch.zeros(EXPANSION * width)
    for number, batch in enumerate(batches(train, seed)):
        for group in optimiser.param_groups:
            group["lr"] = PLAN.rate * PLAN.share(number, steps)
        step = lens.saes.sae.TrainStepInput(
            sae_in=batch,
            coefficients={},
            dead_neuron_mask=idle > 1000,
            n_training_steps=number,
            is_logging_step=False,
        )
        optimiser.zero_grad()
        made = theirs.training_forward_pass(step)
        made.loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimiser.step()
        idle = torch.where((made.feature_acts > 0).any(0), 0.0, idle + 1)
    with torch.no_grad():
        return fvu(test, theirs.eval()(torch.from_numpy(test)).numpy())


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", CHOICES)
@pytest.mark.parametrize("task", TASKS)
def test_no_more_is_left_unexplained_than_by_the_libraries(task: str, kind: str) -> None:
    sides = {
        "ours": unexplained_by_ours,
        "dictionary_learning": unexplained_by_dictionary_learning,
        "sae_lens": unexplained_by_sae_lens,
    }
    found = {
        name: np.array([[side(kind, task, study, seed) for seed in SEEDS] for study in range(STUDIES)])
        for name, side in sides.items()
    }
    print("\n", task, kind, {name: round(float(values.mean()), 5) for name, values in found.items()})
    better = min((name for name in found if name != "ours"), key=lambda name: np.log(found[name]).mean())
    gains = (np.log(found[better]) - np.log(found["ours"])).mean(1)
    verdicts = judged(Gains.of(gains[:, None]), np.arange(STUDIES)[:, None], np.array([MARGIN]))
    print(better, "gain of log fvu", verdicts)
    assert verdicts.low[0] > -MARGIN
