"""SPES against its formulas, written down once more as slowly and as literally as they are published."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from earwitness import registry
from earwitness.scoring import Setting
from earwitness.scoring.speech.scoring import open_scoring
from earwitness.tracks.speech import SpeechMap
from speech_baselines import cut, fake_model, speech_baseline
from speech_fakes import FakeSpeechModel, fake_item

if TYPE_CHECKING:
    from earwitness.tracks.speech import SpeechItem, SpeechModel

Distributions = list[list[float]]
SIZES = {"masks": 24, "prefix_masks": 12, "segments": (300, 450, 600), "batch": 7}


def distributions(
    model: SpeechModel, item: SpeechItem, features: np.ndarray, kept: list[float] | None = None
) -> Distributions:
    """The model's distribution at each token, [O][V]."""
    mask = None if kept is None else torch.tensor([kept])
    logits = model.logits(torch.as_tensor(features)[None], torch.as_tensor(item.tokens)[None], mask)
    found: Distributions = logits[0].double().softmax(-1).tolist()
    return found


def divergence(original: list[float], perturbed: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(original, perturbed, strict=True))


def estimate(divergences: list[float], dropped: list[bool]) -> float:
    """sum_m D[m] (1 - M[m]) / sum_m (1 - M[m])."""
    chosen = [value for value, out in zip(divergences, dropped, strict=True) if out]
    return sum(chosen) / len(chosen) if chosen else 0.0


def z_scores(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [0.0] * len(values)
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / deviation if deviation > 1e-12 else 0.0 for value in values]


def literal(model: SpeechModel, item: SpeechItem, cells: list[np.ndarray], context: np.ndarray) -> SpeechMap:
    """The published map: `cells` [m][T, M] and `context` [q, O] are True where a mask drops a cell, a token."""
    original = distributions(model, item, item.features)
    frames, bins = item.features.shape
    by_cells = [distributions(model, item, np.where(mask, np.float32(0), item.features)) for mask in cells]
    by_context = [distributions(model, item, item.features, [float(not out) for out in row]) for row in context]
    spectrogram = np.zeros((len(original), frames, bins))
    prefix = np.zeros((len(original), len(original)))
    for k, p in enumerate(original):
        d = [divergence(p, found[k]) for found in by_cells]
        scores = [estimate(d, [bool(mask[t, f]) for mask in cells]) for t in range(frames) for f in range(bins)]
        d = [divergence(p, found[k]) for found in by_context]
        earlier = [estimate(d, [bool(row[j]) for row in context]) for j in range(k)]
        both = z_scores(scores) + z_scores(earlier)
        low, high = min(both), max(both)
        unit = [(value - low) / (high - low) for value in both]
        spectrogram[k] = np.reshape(unit[: frames * bins], (frames, bins))
        prefix[k, :k] = unit[frames * bins :]
    return SpeechMap(spectrogram=spectrogram, prefix=prefix)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeechModel, list[SpeechItem]]:
    """The recogniser of micro_speech, and ten of its utterances."""
    cache = tmp_path_factory.mktemp("utterances")
    scoring = open_scoring(Setting(registry.task("micro_speech"), items=10, cache=cache))
    return scoring.model, scoring.items()[0]


@pytest.mark.parametrize("seed", range(10))
def test_the_map_is_that_of_the_published_formulas(seed: int) -> None:
    check_map(fake_model(), fake_item(fake_model(), seed, seconds=0.6 + 0.1 * seed))


@pytest.mark.parametrize("place", range(10))
def test_so_it_is_on_utterances_of_the_micro_task(place: int, utterances: tuple[SpeechModel, list[SpeechItem]]) -> None:
    model, items = utterances
    check_map(model, items[place])


def check_map(model: SpeechModel, item: SpeechItem) -> None:
    explainer = speech_baseline("spes").build(**SIZES)
    rng = np.random.default_rng(item.explainer_seed)
    cells: list[np.ndarray] = []
    for labels, masks in zip(explainer.superpixels(item.features), explainer.shares(), strict=True):
        bits = np.concatenate(list(explainer.draw(rng, masks, labels.max() + 1, explainer.p)))
        cells += [row[labels] for row in bits]
    context = np.concatenate(list(explainer.draw(rng, explainer.prefix_masks, len(item.tokens), explainer.prefix_p)))
    expected, found = literal(model, item, cells, context), explainer.explain(model, item)
    np.testing.assert_allclose(found.spectrogram, expected.spectrogram, atol=1e-5)
    np.testing.assert_allclose(found.prefix, expected.prefix, atol=1e-5)


def test_a_card_runs_the_published_masks_or_says_in_its_name_how_many() -> None:
    card, tenth = speech_baseline("spes").explainer, speech_baseline("spes_2k").explainer
    published = speech_baseline("spes").build()
    assert (card.masks, card.prefix_masks) == (20_000, 2_000)  # type: ignore[attr-defined]
    assert (tenth.masks, tenth.prefix_masks) == (2_000, 200)  # type: ignore[attr-defined]
    assert vars(card) == {**vars(published), "segments": card.segments}  # type: ignore[attr-defined]
    assert published.shares() == [6667, 6667, 6666]
    assert (published.p, published.prefix_p, published.compactness) == (0.5, 0.4, 0.1)


@pytest.mark.parametrize(("frames", "counts"), [(100, (400, 500, 600)), (1000, (3000, 3750, 4500))])
def test_superpixels_grow_with_the_utterance_up_to_750_frames(
    frames: int, counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def slic(image: np.ndarray, n_segments: int, **others: object) -> np.ndarray:
        assert (image.min(), image.max()) == (0.0, 1.0)
        assert others == {"compactness": 0.1, "sigma": 0, "channel_axis": None}
        asked.append(n_segments)
        return np.ones(image.shape, dtype=int)

    monkeypatch.setattr(speech_baseline("spes").module, "slic", slic)
    speech_baseline("spes").build().superpixels(np.random.default_rng(0).normal(size=(frames, 80)))
    assert tuple(asked) == counts


def test_superpixels_are_labelled_from_zero_without_a_gap() -> None:
    labels = speech_baseline("spes").build().superpixels(fake_item(fake_model(), 0).features)
    assert len(labels) == 3
    for found in labels:
        assert found.shape == (40, 8)
        assert np.array_equal(np.unique(found), np.arange(found.max() + 1))


def test_divergence_is_taken_from_the_original_to_the_perturbed_distribution() -> None:
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[[0.9, 0.1]]])
    found = speech_baseline("spes").module.divergences(p.double().log(), q.log() + 3)
    assert found.shape == (1, 1)
    assert float(found) == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1), abs=1e-6)


def test_each_modality_is_standardised_before_both_share_one_range() -> None:
    spectrogram = np.array([[[0.0, 2.0]], [[0.0, 2.0]], [[0.0, 2.0]]], dtype=np.float32)
    prefix = np.array([[0, 0, 0], [7, 0, 0], [10, 30, 0.0]])
    found = speech_baseline("spes").module.normalise(spectrogram, prefix)
    np.testing.assert_allclose(found.spectrogram, [[[0, 1]], [[0, 1]], [[0, 1]]], atol=1e-6)
    np.testing.assert_allclose(found.prefix, np.array([[0, 0, 0], [0.5, 0, 0], [0, 1, 0]]), atol=1e-6)


def test_equal_scores_and_a_hypothesis_of_one_token_have_defined_maps() -> None:
    normalise = speech_baseline("spes").module.normalise
    found = normalise(np.full((1, 3, 7), 0.1, dtype=np.float32), np.zeros((1, 1)))
    assert not found.spectrogram.any()
    assert found.prefix.tolist() == [[0.0]]


def test_a_cell_that_no_mask_drops_scores_nothing() -> None:
    item = cut(fake_item(fake_model(), 1), tokens=1)
    found = speech_baseline("spes").build(masks=3, prefix_masks=1, p=0.0).explain(fake_model(), item)
    assert not found.spectrogram.any()


def test_draws_are_the_same_for_any_chunk() -> None:
    whole, parts = (speech_baseline("spes").build(batch=batch) for batch in (100, 9))
    first, second = (list(each.draw(np.random.default_rng(3), 50, 11, 0.4)) for each in (whole, parts))
    assert [len(chunk) for chunk in second] == [9, 9, 9, 9, 9, 5]
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))
    assert 0.3 < np.concatenate(first).mean() < 0.5


class CountingModel(FakeSpeechModel):
    """Notes the rows of every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[tuple[int, bool]] = []

    def logits(
        self, features: torch.Tensor, tokens: torch.Tensor, prefix_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The fake model's logits."""
        self.passes.append((len(features), prefix_mask is not None))
        return super().logits(features, tokens, prefix_mask)


def test_one_pass_scores_all_tokens_and_the_encoder_hears_a_prefix_mask_once() -> None:
    model = CountingModel()
    item = fake_item(model, 0)
    speech_baseline("spes").build(masks=30, prefix_masks=20, batch=10).explain(model, item)
    assert model.passes == [(1, False), (10, False), (10, False), (10, False), (1, True), (1, True)]
