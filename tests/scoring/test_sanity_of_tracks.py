"""What moves and what is compared on each track: who follows the place is caught, who follows the parts is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from band_baselines import band_items, band_model
from baselines import tiny_items, tiny_model
from concept_baselines import concept_baseline, concept_world
from concept_fakes import FakeConceptModel, fake_record
from earwitness import tracks
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.models.redrawing import layers, redraw
from earwitness.scoring.sanity import deranged, moved_blocks, of_track, rank_agreement
from earwitness.tracks.band import BandMap
from earwitness.tracks.concept import ConceptItem, Dictionaries
from earwitness.tracks.prompt import PromptItem, TokenMap
from earwitness.tracks.speech import SpeechItem, SpeechMap
from speech_baselines import fake_items, fake_model


def by_place(item: Any, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Scores that know nothing but the place along an axis."""
    along = np.linspace(0.1, 1, shape[axis])
    return np.broadcast_to(np.expand_dims(along, [i for i in range(len(shape)) if i != axis]), shape)


def lengths(item: PromptItem) -> np.ndarray:
    """Scores that know nothing but the tokens themselves."""
    return np.array([len(token) / 20 for token in item.tokens])


def test_a_map_of_places_stays_and_a_map_of_words_moves_with_the_words() -> None:
    sanity, item = of_track("prompt"), tiny_items()[2]
    found = sanity.permuted(item, SimpleNamespace(model=tiny_model()), 0)
    moved: Any = found.item
    assert sorted(moved.prompt.split()) == sorted(item.prompt.split())
    assert moved.prompt != item.prompt
    np.testing.assert_array_equal(moved.codes, item.codes)
    assert found.back is not None
    assert [moved.tokens[place] for place in found.back] == list(item.tokens)
    places, words = TokenMap(by_place(item, (len(item.tokens),), 0)), TokenMap(lengths(item))
    assert sanity.agreement(item, places, places) == 1
    assert sanity.agreement(item, places, places, found.back) < 0.5
    there = TokenMap(lengths(moved))
    assert sanity.agreement(item, words, there, found.back) == 1
    assert sanity.agreement(item, words, there) < 0.5


def test_a_prompt_of_one_word_cannot_be_moved() -> None:
    with pytest.raises(InvalidItemError, match="1 parts, of which none can change places"):
        of_track("prompt").permuted(tiny_items()[1], SimpleNamespace(model=tiny_model()), 0)


def test_tokens_of_equal_weight_are_ranked_by_order_and_special_ones_not_at_all() -> None:
    sanity, item = of_track("prompt"), tiny_items()[0]
    count = len(item.tokens)
    weights, order = np.ones(count), np.arange(count, dtype=float)
    assert sanity.agreement(item, TokenMap(weights, order), TokenMap(order / count)) == 1
    assert sanity.agreement(item, TokenMap(weights, order), TokenMap(weights, -order)) == pytest.approx(-1)
    other = np.where(item.special, 1.0, order / count)
    assert sanity.agreement(item, TokenMap(order / count), TokenMap(other)) == 1
    assert [len(frame) for frame in sanity.magnitudes(item, TokenMap(weights))] == [int((~item.special).sum())]


def speech_map(item: SpeechItem, scores: np.ndarray) -> SpeechMap:
    tokens = len(item.tokens)
    return SpeechMap(np.broadcast_to(scores, (tokens, *item.features.shape)), np.zeros((tokens, tokens)))


def unit(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.min()) / np.ptp(scores)


def test_a_map_of_time_stays_and_a_map_of_sounds_moves_with_them() -> None:
    sanity, item = of_track("speech"), fake_items()[0]
    found = sanity.permuted(item, SimpleNamespace(model=fake_model()), 0)
    moved: Any = found.item
    assert found.back is not None
    np.testing.assert_array_equal(moved.features[found.back], item.features)
    assert moved.tokens is item.tokens
    places = speech_map(item, by_place(item, item.features.shape, 0))
    assert sanity.agreement(item, places, places) == 1
    assert sanity.agreement(item, places, places, found.back) < 0.7
    loud, there = speech_map(item, unit(item.features)), speech_map(item, unit(moved.features))
    assert sanity.agreement(item, loud, there, found.back) == 1
    assert sanity.agreement(item, loud, there) < 0.7


def test_a_sound_is_made_anew_from_its_clip_in_another_order_of_time() -> None:
    sanity, item = of_track("band"), band_items()[0]
    found = sanity.permuted(item, SimpleNamespace(model=band_model()), 0)
    moved: Any = found.item
    assert found.back is not None
    np.testing.assert_array_equal(moved.start[:, found.back], item.start)
    assert not np.array_equal(moved.mel, item.mel)
    assert moved.mel.shape == item.mel.shape
    shape = (len(item.tokens), *item.mel.shape)
    places = BandMap(by_place(item, shape, 2))
    assert sanity.agreement(item, places, places) == 1
    assert sanity.agreement(item, places, places, found.back) < 0.7
    assert len(sanity.magnitudes(item, places)) == len(item.instruments)


def test_a_sound_that_starts_from_noise_has_no_frames_to_move() -> None:
    with pytest.raises(InvalidItemError, match="starts from noise alone"):
        of_track("band").permuted(band_items()[2], SimpleNamespace(model=band_model()), 0)


def fitted(name: str, item: ConceptItem) -> Dictionaries:
    found: Dictionaries = concept_baseline(name, epochs=8).explain(None, item)
    return found


@pytest.mark.parametrize(("name", "follows"), [("random_relu", False), ("raw_latents", False), ("pca", True)])
def test_a_dictionary_that_reads_means_and_deviations_alone_stays_as_it_was(name: str, follows: bool) -> None:
    sanity, (_, item) = of_track("concept"), concept_world()
    model = FakeConceptModel(item.train.shape[-1])
    redraw(model.module, layers(model.module, lambda: sanity.run(model, item)), 0)
    scoring = SimpleNamespace(record=lambda _: fake_record(model))
    own = fitted(name, item)
    shuffled, under = sanity.permuted(item, scoring, 0).item, sanity.under(item, scoring, lambda: model)
    for spoiled in (shuffled, under):
        assert isinstance(spoiled, ConceptItem)
        np.testing.assert_allclose(spoiled.train.mean((0, 1)), item.train.mean((0, 1)), atol=1e-4)
        np.testing.assert_allclose(spoiled.train.std((0, 1)), item.train.std((0, 1)), rtol=1e-4)
        assert (sanity.agreement(item, own, fitted(name, spoiled)) < 0.9) == follows
    assert sanity.agreement(item, own, own) == pytest.approx(1)


def test_features_are_matched_whatever_their_order() -> None:
    sanity, (_, item) = of_track("concept"), concept_world()
    own = fitted("random_relu", item)
    turned = Dictionaries(
        tuple(
            replace(each, encoder=each.encoder[:, ::-1], bias=each.bias[::-1], decoder=each.decoder[::-1])
            for each in own.fitted
        )
    )
    assert sanity.agreement(item, own, turned) == pytest.approx(1)
    other = fitted("random_relu", replace(item, explainer_seeds=(7, 8)))
    assert sanity.agreement(item, own, other) < 0.95


def test_a_pass_calls_the_layers_of_every_tracks_model() -> None:
    found = {
        "prompt": (tiny_model(), tiny_items()[0]),
        "speech": (fake_model(), fake_items()[0]),
        "band": (band_model(), band_items()[0]),
        "concept": (FakeConceptModel(), concept_world()[1]),
    }
    for name, (model, item) in found.items():
        names = layers(model.module, lambda name=name, model=model, item=item: of_track(name).run(model, item))  # type: ignore[misc]
        assert names, name
    assert names == [""]
    prompt = layers(tiny_model().module, lambda: of_track("prompt").run(tiny_model(), tiny_items()[0]))
    assert prompt[0].startswith("decoder.lm_heads")
    assert prompt[-1].startswith("text_encoder")
    assert not any(name.startswith("audio_encoder") for name in prompt)


def test_every_shipped_track_has_sanity_checks() -> None:
    assert all(of_track(name).moved for name in tracks.names() if tracks.load(name).scoring.startswith("earwitness."))


def test_a_track_without_sanity_checks_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(tracks.load("prompt"), scoring="earwitness.stats")
    monkeypatch.setattr(tracks, "load", lambda _: bare)
    with pytest.raises(EarwitnessError, match=r"earwitness\.stats has no file sanity\.py"):
        of_track("prompt")


@example(length=13, seed=1)
@given(length=st.integers(2, 60), seed=st.integers(0, 2**32))
def test_moved_blocks_hold_every_frame_once_and_none_where_it_was(length: int, seed: int) -> None:
    order = moved_blocks(length, seed)
    assert sorted(order.tolist()) == list(range(length))
    assert (order == np.arange(length)).mean() <= 0.5
    np.testing.assert_array_equal(order, moved_blocks(length, seed))


def test_words_that_are_alike_need_not_change_places() -> None:
    assert [["a", "a", "b"][place] for place in deranged(["a", "a", "b"], 0)] != ["a", "a", "b"]
    with pytest.raises(InvalidItemError):
        deranged(["a", "a"], 0)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=9), st.integers(0, 9))
def test_agreement_knows_ranks_alone(values: list[int], seed: int) -> None:
    scores = np.array(values, dtype=float)
    other = np.random.default_rng(seed).random(len(values))
    found = rank_agreement([scores], [other])
    assert found == pytest.approx(rank_agreement([np.exp(scores)], [other**3]))
    assert -1 - 1e-9 <= found <= 1 + 1e-9
