"""Explainers of the band track that change the prompt, a little or by a word."""

from __future__ import annotations

import numpy as np
import torch

from band_baselines import band_baseline, band_items, band_model
from earwitness.tracks.band import generate, loudness, start_of


def test_the_gradient_is_the_finite_difference_along_each_words_states() -> None:
    model, item = band_model(), band_items()[1]
    explainer = band_baseline("gradient").explainer
    clean = model.latents(torch.from_numpy(item.mel[None]))
    text = model.encode([item.prompt])
    step, tiny = 3, 2e-3
    found = explainer.derivative(model, item, clean, step)  # type: ignore[attr-defined]
    noisy = model.noised(clean, [item.seed], step)
    for word in range(len(item.instruments)):
        own = torch.from_numpy(item.named[word])[:, None] * text.states
        ends = [
            model.decode(model.denoised(noisy, step, text._replace(states=text.states + sign * tiny * own)))[0]
            for sign in (1, -1)
        ]
        np.testing.assert_allclose(found[word], (ends[0] - ends[1]) / (2 * tiny), rtol=1e-3, atol=2e-3)
        assert found[word].abs().max() > 1


def test_the_gradients_map_is_the_mean_size_over_its_levels() -> None:
    model, item = band_model(), band_items()[0]
    explainer = band_baseline("gradient").build(steps=2)
    assert explainer.levels(model, item) == [3, 5]
    clean = model.latents(torch.from_numpy(item.mel[None]))
    sizes = [explainer.derivative(model, item, clean, step).abs().numpy() for step in (3, 5)]
    found = explainer.explain(model, item).instruments(item)
    np.testing.assert_allclose(found, np.mean(sizes, axis=0), rtol=1e-5)


def test_the_gradients_levels_lie_among_the_steps_that_the_generation_runs() -> None:
    explainer = band_baseline("gradient").build(steps=20)
    model, started, from_noise = band_model(), band_items()[0], band_items()[2]
    run: list[int] = []
    for item in (started, from_noise):
        run.clear()
        generate(model, item, record=lambda step, layer, attention: run.append(step))
        assert sorted(set(explainer.levels(model, item))) == sorted(set(run))


def test_the_gradient_leaves_no_trace_in_the_model() -> None:
    model, item = band_model(), band_items()[0]
    band_baseline("gradient").explainer.explain(model, item)
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_swap_under_the_items_own_seed_is_what_the_word_changes() -> None:
    model = band_model()
    for item in band_items():
        found = band_baseline("swap").explainer.explain(model, item).instruments(item)
        for word in range(len(item.instruments)):
            text = model.encode([item.without(word)])
            without = model.generate(text, item.seed, start_of(model, item)).mel[0].numpy()
            np.testing.assert_allclose(found[word], np.abs(loudness(item.mel) - loudness(without)), atol=1e-5)


def test_further_seeds_of_swap_are_averaged_with_the_items_own() -> None:
    model, item = band_model(), band_items()[0]
    one, two = (band_baseline("swap").build(seeds=seeds).explain(model, item).instruments(item) for seeds in (1, 2))
    seed = int(np.random.default_rng(item.explainer_seed).integers(2**31))
    pair = [
        model.generate(model.encode([prompt]), seed, start_of(model, item)).mel[0].numpy()
        for prompt in (item.prompt, item.without(0))
    ]
    np.testing.assert_allclose(two[0], (one[0] + np.abs(loudness(pair[0]) - loudness(pair[1]))) / 2, atol=1e-5)
