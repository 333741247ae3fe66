"""Every submission of the band track on a pipeline of diffusers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from band_baselines import BAND_IDS, band_baseline
from earwitness.explaining.denoiser_attention import read_cross_attention
from earwitness.models import audioldm2
from earwitness.tracks.band import BandItem, BandModel, attended, generate, on_mel_grid
from tiny_band import BAND_FRAMES, BAND_HOP, tiny_audioldm2

if TYPE_CHECKING:
    from pathlib import Path


def an_item(model: BandModel, prompt: str, instruments: dict[int, str]) -> BandItem:
    """What the model makes of noise that comes and goes, under a prompt whose words at these places are instruments."""
    rng = np.random.default_rng(3)
    envelope = np.square(np.sin(np.linspace(0, 9, BAND_FRAMES * BAND_HOP)))
    audio = torch.from_numpy((0.1 * envelope * rng.standard_normal(len(envelope))).astype(np.float32))
    with torch.no_grad():
        start = model.mel(audio[None])[0].numpy()
    words = model.words([prompt])[0]
    item = BandItem(
        id="noise",
        prompt=prompt,
        seed=5,
        explainer_seed=7,
        strength=model.strength,
        tokens=tuple(model.tokens([prompt])[0]),
        instruments=tuple(instruments.values()),
        words=words,
        named=words[None] == np.array(list(instruments))[:, None],
        start=start,
        mel=np.zeros((0, 0), dtype=np.float32),
        prior=rng.random((len(instruments), *start.shape), dtype=np.float32),
    )
    return BandItem.build(item.fields(), {**item.arrays(), "mel": generate(model, item).mel[0].numpy()})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[BandModel, BandItem]:
    torch.set_num_threads(1)
    folder: Path = tiny_audioldm2(tmp_path_factory.mktemp("audioldm2"))
    model: BandModel = audioldm2.from_pretrained(str(folder), steps=6, guidance=3.0, strength=0.7)
    return model, an_item(model, "a bass and a saxophone", {1: "bass", 4: "saxophone"})


@pytest.mark.parametrize("name", BAND_IDS)
def test_a_pipelines_sound_is_explained(name: str, pair: tuple[BandModel, BandItem]) -> None:
    model, item = pair
    assert item.named.sum(1).tolist() == [1, 2]
    found = band_baseline(name).explainer.explain(model, item)
    found.check(item)
    if name not in {"all_ones", "aiba_printed"}:
        assert (np.ptp(found.instruments(item), axis=(1, 2)) > 0).all()
    again = band_baseline(name).explainer.explain(model, item)
    np.testing.assert_array_equal(found.maps, again.maps)


def test_the_printed_form_of_aiba_is_constant_on_a_pipeline(pair: tuple[BandModel, BandItem]) -> None:
    model, item = pair
    np.testing.assert_allclose(attended(model, item).mean(0), 1 / len(item.tokens), atol=1e-6)
    printed = band_baseline("aiba_printed").explainer.explain(model, item).instruments(item)
    assert np.ptp(printed) == 0


def test_the_gradient_is_a_finite_difference_on_a_pipeline(pair: tuple[BandModel, BandItem]) -> None:
    model, item = pair
    explainer = band_baseline("gradient").explainer
    step, tiny = 4, 1e-2
    with torch.no_grad():
        clean = model.latents(torch.from_numpy(item.mel[None]))
        found = explainer.derivative(model, item, clean, step)  # type: ignore[attr-defined]
        text, noisy = model.encode([item.prompt]), model.noised(clean, [item.seed], step)
        for word in range(len(item.instruments)):
            own = torch.from_numpy(item.named[word])[:, None] * text.states
            ends = [
                model.decode(model.denoised(noisy, step, text._replace(states=text.states + sign * tiny * own)))[0]
                for sign in (1, -1)
            ]
            difference = (ends[0] - ends[1]) / (2 * tiny)
            assert difference.abs().max() > 1e-4
            np.testing.assert_allclose(found[word], difference, atol=0.02 * float(difference.abs().max()))


def test_gradient_weighted_attention_is_by_hand_that_of_the_recorders_attention(
    pair: tuple[BandModel, BandItem],
) -> None:
    model, item = pair
    layers: list[torch.Tensor] = []
    generate(model, item, record=lambda step, layer, attention: layers.append(attention.shape))
    explainer = band_baseline("gradient_attention").explainer
    step = explainer.levels(model, item)[0]  # type: ignore[attr-defined]
    with torch.no_grad():
        clean = model.latents(torch.from_numpy(item.mel[None]))
        noisy, text = model.noised(clean, [item.seed], step), model.encode([item.prompt])
        plain = model.denoised(noisy, step, text)
    states = text.states.clone().requires_grad_()
    with read_cross_attention(model.module) as record:
        foretold = model.denoised(noisy, step, text._replace(states=states))
    torch.testing.assert_close(foretold.detach(), plain, rtol=1e-4, atol=1e-5)
    assert [len(part.flatten(0, 1)) for part in record] == [shape[0] * shape[1] for shape in layers[: model.layers]]
    places = [shape[2] * shape[3] for shape in layers[: model.layers]]
    assert [tuple(part.shape[2:]) for part in record] == [(count, len(item.tokens)) for count in places]
    gradients = torch.autograd.grad(-(foretold - clean).square().mean(), record)
    expected = 0
    for part, gradient, shape in zip(record, gradients, layers, strict=False):
        heads = [(part[0, h] * gradient[0, h]).clamp(min=0) for h in range(part.shape[1])]
        grid = (sum(heads) / len(heads)).detach().reshape(*shape[2:4], -1).movedim(-1, 0)
        expected = expected + on_mel_grid(grid, item.mel.shape) / model.layers
    found = explainer.products(model, item, clean, step)  # type: ignore[attr-defined]
    assert float(found.max()) > 0
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model.denoised(noisy, step, text), plain, rtol=0, atol=0)
