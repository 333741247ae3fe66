"""What single methods of the speech track promise, checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earwitness.tracks.speech import SpeechItem, utterance_mean
from speech_baselines import fake_items, fake_model, speech_baseline


def log_probabilities(item: SpeechItem, features: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Log-probability [O] of the item's tokens on other features [T, M], under a prefix mask [O]."""
    given = None if mask is None else torch.as_tensor(mask, dtype=torch.float32)[None]
    tokens = torch.as_tensor(item.tokens)[None]
    logits = fake_model().logits(torch.as_tensor(features, dtype=torch.float32)[None], tokens, given)[0]
    found: np.ndarray = logits.double().log_softmax(-1)[range(len(item.tokens)), item.tokens].numpy()
    return found


def test_random_prefix_weights_fill_the_triangle_below_the_diagonal() -> None:
    found = speech_baseline("random").explainer.explain(fake_model(), fake_items()[0])
    below = np.tril_indices(len(found.prefix), -1)
    assert len(np.unique(found.prefix[below])) == len(below[0])
    assert 0.45 < found.spectrogram.mean() < 0.55


def test_energy_is_the_spectrogram_for_every_token_and_the_latest_token_comes_first() -> None:
    item = fake_items()[0]
    found = speech_baseline("energy").explainer.explain(fake_model(), item)
    order = np.argsort(item.features, axis=None)
    assert (np.diff(found.spectrogram.reshape(len(item.tokens), -1)[:, order]) >= 0).all()
    assert np.allclose(found.prefix[:3, :3], np.array([[0, 0, 0], [1, 0, 0], [0.5, 1, 0]]))


@pytest.mark.parametrize("reduce", ["mean", "amax"])
def test_attention_is_that_of_the_pass_over_frames_and_bins_are_alike(reduce: str) -> None:
    item = fake_items()[0]
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    cross = getattr(fake_model().attention(features, tokens).cross[0, 0], reduce)(0).numpy()
    found = speech_baseline("attention").build(reduce=reduce.removeprefix("a")).explain(fake_model(), item).spectrogram
    assert (found == found[..., :1]).all()
    span = np.ptp(cross, axis=1, keepdims=True)
    np.testing.assert_allclose(found[..., 0], (cross - cross.min(1, keepdims=True)) / span, atol=1e-6)


def test_a_slope_is_what_a_small_step_to_the_mean_costs() -> None:
    item, step, frame, band, earlier = fake_items()[0], 1e-2, 20, 3, 1
    cells, prefix = speech_baseline("gradient_input").explainer.slopes(fake_model(), item)  # type: ignore[attr-defined]
    distance = np.zeros_like(item.features)
    distance[frame, band] = (item.features - utterance_mean(item.features))[frame, band]
    more, less = (log_probabilities(item, item.features + sign * step * distance) for sign in (1, -1))
    np.testing.assert_allclose(cells[:, frame, band], (more - less) / (2 * step), atol=2e-3)
    mask = np.ones(len(item.tokens))
    mask[earlier] = 1 + step
    more = log_probabilities(item, item.features, mask)
    mask[earlier] = 1 - step
    less = log_probabilities(item, item.features, mask)
    np.testing.assert_allclose(prefix[:, earlier], (more - less) / (2 * step), atol=2e-3)


def test_absolute_slopes_rank_by_size() -> None:
    item = fake_items()[0]
    method = speech_baseline("gradient_input").build(absolute=True)
    cells, _ = method.slopes(fake_model(), item)
    found = method.explain(fake_model(), item).spectrogram
    assert np.abs(cells[1]).argmax() == found[1].argmax()
    assert np.abs(cells[1]).argmin() == found[1].argmin()


def test_integrated_gradients_add_up_to_what_removing_everything_costs() -> None:
    item = fake_items()[0]
    method = speech_baseline("integrated_gradients").build(steps=200, batch=64)
    cells, prefix = method.attributions(fake_model(), item)
    gained, by_context = method.gains(fake_model(), item)
    np.testing.assert_allclose(cells.sum((1, 2)), gained, atol=2e-2)
    np.testing.assert_allclose(prefix.sum(1), by_context, atol=2e-2)
    whole = log_probabilities(item, item.features)
    silent = log_probabilities(item, np.tile(utterance_mean(item.features), (len(item.features), 1)))
    np.testing.assert_allclose(cells.sum((1, 2)), whole - silent, atol=2e-2)
    alone = log_probabilities(item, item.features, np.zeros(len(item.tokens)))
    np.testing.assert_allclose(prefix.sum(1), whole - alone, atol=2e-2)


def test_points_of_integrated_gradients_double_until_their_sums_miss_little() -> None:
    item, method = fake_items()[0], speech_baseline("integrated_gradients")
    once = list(method.build(steps=1, tolerance=0).refined(fake_model(), item))
    assert [each.steps for each in once] == [1]
    assert once[0].error > 0.02
    tried = list(method.build(steps=1, tolerance=0.02, most=400).refined(fake_model(), item))
    assert [each.steps for each in tried] == [2**power for power in range(len(tried))]
    assert all(each.error > 0.02 for each in tried[:-1])
    assert tried[-1].error <= 0.02
    bounded = list(method.build(steps=1, tolerance=1e-9, most=5).refined(fake_model(), item))
    assert [each.steps for each in bounded] == [1, 2, 4]
    found = method.build(steps=1, tolerance=0.02).attributions(fake_model(), item)
    np.testing.assert_array_equal(found.cells, tried[-1].found.cells)


def test_occlusion_is_the_fall_without_the_patch_up_to_the_edges() -> None:
    item = fake_items()[0]
    method = speech_baseline("occlusion").build(frames=7, bins=3)
    cells, prefix = method.falls(fake_model(), item)
    whole, mean = log_probabilities(item, item.features), utterance_mean(item.features)
    for time, band in ((slice(0, 7), slice(3, 6)), (slice(35, 40), slice(6, 8))):
        features = item.features.copy()
        features[time, band] = mean[band]
        expected = whole - log_probabilities(item, features)
        found = cells[:, time, band]
        np.testing.assert_allclose(found, np.broadcast_to(expected[:, None, None], found.shape), atol=1e-5)
    mask = np.ones(len(item.tokens))
    mask[0] = 0
    np.testing.assert_allclose(prefix[:, 0], whole - log_probabilities(item, item.features, mask), atol=1e-5)


def test_occlusion_of_probabilities_falls_by_less_than_one() -> None:
    cells, _ = speech_baseline("occlusion").build(logarithm=False).falls(fake_model(), fake_items()[0])
    assert 0.05 < np.abs(cells).max() < 1


def test_masks_of_rise_are_smooth_and_have_the_expectation_they_are_divided_by() -> None:
    method = speech_baseline("rise").build(masks=2000, frames=8, bins=4, p=0.3)
    masks = torch.cat(list(method.draw(np.random.default_rng(0), 21, 10)))
    assert masks.shape == (2000, 21, 10)
    assert float(masks.min()) == 0
    assert float(masks.max()) == 1
    np.testing.assert_allclose(masks.mean(0).numpy(), 0.3, atol=0.05)
    assert float(masks.diff(dim=1).abs().max()) <= 1 / 8 + 1e-6
    assert float(masks.diff(dim=2).abs().max()) <= 1 / 4 + 1e-6


def test_rise_finds_the_one_patch_that_a_token_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    item, model = fake_items()[0], fake_model()
    features = np.ones_like(item.features) + np.linspace(-1, 1, len(item.features))[:, None].astype(np.float32)

    def logits(given: torch.Tensor, tokens: torch.Tensor, prefix_mask: torch.Tensor | None = None) -> torch.Tensor:
        heard = given[:, 30:34, 2:5].mean((1, 2)) if prefix_mask is None else prefix_mask[:, 0]
        found = torch.zeros(len(heard), tokens.shape[1], 12)
        found[:, range(tokens.shape[1]), tokens[0]] = 4 * heard[:, None]
        return found

    monkeypatch.setattr(model, "logits", logits)
    item = SpeechItem(**{**vars(item), "features": features})
    found = speech_baseline("rise").build(frames=8, bins=4, masks=3000).explain(model, item)
    for cells in found.spectrogram:
        frame, band = np.unravel_index(cells.argmax(), cells.shape)
        assert 28 <= frame <= 35
        assert 1 <= band <= 5
    assert (found.prefix[2:].argmax(1) == 0).all()


def test_segments_of_lime_follow_the_words_in_their_order() -> None:
    align = speech_baseline("word_lime").module.align
    attention = np.full((3, 9), 0.01)
    attention[0, :2], attention[1, 2:7], attention[2, 7:] = 0.3, 0.2, 0.4
    attention[2, 0] = 0.9
    assert align(attention).tolist() == [0, 0, 1, 1, 1, 1, 1, 2, 2]
    assert align(np.ones((3, 3))).tolist() == [0, 1, 2]
    assert align(np.ones((4, 2))).tolist() == [0, 2]


def test_limes_regression_gives_back_a_linear_model() -> None:
    present = np.random.default_rng(0).random((400, 4)) > 0.5
    values = present @ np.array([2.0, -1.0, 0.0, 0.5]) + 3
    method = speech_baseline("word_lime").build(ridge=1e-9)
    np.testing.assert_allclose(method.fit(present, values), [2, -1, 0, 0.5], atol=1e-6)


def test_lime_gives_one_weight_to_a_segment_and_reads_earlier_tokens_alone() -> None:
    item = fake_items()[0]
    method = speech_baseline("word_lime").explainer
    segment = method.segments(fake_model(), item)  # type: ignore[attr-defined]
    assert segment.tolist() == sorted(segment.tolist())
    assert set(segment) == set(range(item.words.max() + 1))
    found = method.explain(fake_model(), item)
    for word in set(segment):
        assert (np.ptp(found.spectrogram[:, segment == word], axis=(1, 2)) == 0).all()
