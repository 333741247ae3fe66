"""The floors of scenes, on a model that obeys, and on models that disobey in one thing each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from earwitness.authoring.training import scene_floors as floors
from earwitness.authoring.training.floors import obedience, unchanged
from earwitness.worlds.events import HALF, LEVELS, SAMPLES, render
from earwitness.worlds.scene_captions import PUBLIC, SceneRole, private
from earwitness.worlds.scenes import PITCHES, scene
from earwitness.worlds.sounds import LABELS, SAMPLE_RATE, synthesise

SCENES = [scene("validation", index) for index in range(150)]
BY_WORD = {word: label for label, words in PUBLIC.classes.items() for word in words}
PEAK = 0.05
MODIFIERS = {
    word: (role, value)
    for role in ("loudness", "pitch", "time")
    for value, words in PUBLIC.modifiers(SceneRole(role)).items()
    for word in words
}


@dataclass
class Obedient:
    """Stands for model and judges: sings what a prompt says, each class as a level in a channel of its own in time."""

    deaf_to: frozenset[str] = frozenset()
    """Words that it does not act on."""
    judges: dict[str, SimpleNamespace] = field(default_factory=lambda: {"ast": SimpleNamespace(labels=LABELS)})

    def sing(self, prompts: list[str], seed: int = 0) -> Tensor:
        return torch.stack([self.sound(prompt) for prompt in prompts])

    def sound(self, prompt: str) -> Tensor:
        said: dict[str, str] = {}
        audio, denied, named = torch.zeros(SAMPLES), False, set()
        for word in prompt.split():
            if word in self.deaf_to:
                continue
            if word in PUBLIC.negators:
                denied = True
            elif word in MODIFIERS:
                role, value = MODIFIERS[word]
                said[role] = value
            elif word in BY_WORD:
                if not denied and BY_WORD[word] not in named:
                    audio += sung(BY_WORD[word], said.get("loudness"), said.get("pitch"), said.get("time"))
                    named.add(BY_WORD[word])
                denied, said = False, {}
        return audio

    def presence(self, audio: Tensor, judge: str) -> Tensor:
        """What sounds, known by a sample of each class's own in each half."""
        return torch.stack(
            [(audio[:, at :: floors.MIDDLE] > PEAK / 2).any(1).float() for at in range(len(LABELS))], dim=1
        )


def sung(label: str, loudness: str | None, pitch: str | None, time: str | None) -> Tensor:
    """A class at a level and a pitch, with a peak that names it in each half where it sounds."""
    ranges = PITCHES[label][pitch]  # type: ignore[index]
    parameters = {"depth": 1.5, "rate": 1.5, "phase": 0.0, "drops": 100, "decay": 0.5, "period": 0.3}
    parameters |= {"wobble": 2.0, "sweep": 0.4, "length": 0.12, "duty": 0.5}
    parameters |= {name: float(np.mean(span)) for name, span in ranges.items()}
    if label == "hammer":
        parameters["decay"] = 0.02
    wave = synthesise(label, parameters, SAMPLES, np.random.default_rng(0))
    level = np.mean(LEVELS[loudness])  # type: ignore[index]
    audio = torch.from_numpy((wave * 10 ** (level / 20)).astype(np.float32))
    audio[torch.arange(SAMPLES) % floors.MIDDLE < len(LABELS)] = 0
    audio[LABELS.index(label) :: floors.MIDDLE] = PEAK
    return floors.alone(audio[None], time)[0] if time else audio  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    ensemble = Obedient()
    return {
        **obedience(ensemble, SCENES[:20]),
        **floors.loudness(ensemble, SCENES, 12),
        **floors.pitch(ensemble, SCENES, 40),
        **floors.time(ensemble, SCENES[:20], "ast"),
        **unchanged(ensemble, "ast", SCENES[:20], PUBLIC.fillers),
    }


def test_an_obedient_model_passes_every_floor(figures: dict[str, float]) -> None:
    names = {"classes_ast", "loudness", "pitch", "time", "time_swapped", "unchanged", "unchanged_fresh"}
    assert {name: figures[name] for name in names} == dict.fromkeys(names, 1.0)
    assert figures["pitch_octaves"] > 0.3


@pytest.mark.parametrize(
    ("role", "rate"), [(SceneRole.loudness, "loudness"), (SceneRole.pitch, "pitch"), (SceneRole.time, "time_swapped")]
)
def test_a_model_that_is_deaf_to_the_words_of_a_role_fails_its_floor(role: SceneRole, rate: str) -> None:
    words = {word for group in PUBLIC.modifiers(role).values() for word in group}
    ensemble = Obedient(frozenset(words))
    found = (
        floors.time(ensemble, SCENES[:10], "ast")
        if role == SceneRole.time
        else getattr(floors, rate)(ensemble, SCENES, 10)
    )
    assert found[rate] == 0


@pytest.fixture
def by_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(ensemble: Obedient, prompts: list[str], places: list[int]) -> Tensor:
        kept = [
            [word for at, word in enumerate(prompt.split()) if at != place]
            for prompt, place in zip(prompts, places, strict=True)
        ]
        return ensemble.sing([" ".join(words) for words in kept])

    monkeypatch.setattr(floors, "without_states", without)


def test_a_denied_class_is_silent_and_sounds_without_its_negator(by_state: None) -> None:
    assert floors.negation(Obedient(), SCENES, 10, "ast") == {
        "denied_absent": 1.0,
        "negation": 1.0,
        "negation_by_state": 1.0,
    }
    deaf = floors.negation(Obedient(frozenset(PUBLIC.negators)), SCENES, 10, "ast")
    assert deaf == {"denied_absent": 0.0, "negation": 0.0, "negation_by_state": 0.0}


def test_denials_are_tried_where_one_more_event_has_room() -> None:
    for item in SCENES:
        if floors._roomy(item):
            assert {event.time for event in item.events} == {"early", "late"}
            assert len(item.events) == 2


def test_words_are_tried_whose_event_sounds_alone() -> None:
    words = floors.solitary(SCENES, SceneRole.pitch)
    assert len(words) > 20
    for spoken in words:
        event = spoken.item.events[spoken.word.event]
        others = [other for other in spoken.item.events if other is not event]
        assert event.time is not None
        assert all(other.time not in (event.time, None) for other in others)
        said = spoken.instead("xyz").split()
        before = spoken.item.caption.text.split()
        assert [at for at, pair in enumerate(zip(said, before, strict=True)) if pair[0] != pair[1]] == [spoken.place]


def test_mirroring_time_words_twice_changes_nothing_and_once_all_of_them() -> None:
    for item in SCENES[:30]:
        once = floors.mirrored(item.caption)
        moved = [a != b for a, b in zip(once.split(), item.caption.text.split(), strict=True)]
        assert moved == [word.role == SceneRole.time for word in item.caption.words]
        words = tuple(replace(word, text=text) for word, text in zip(item.caption.words, once.split(), strict=True))
        assert floors.mirrored(replace(item.caption, words=words)) == item.caption.text


def test_words_of_another_lexicon_are_swapped_for_its_own() -> None:
    secret = private(3)
    drawn, asked = [scene("test", index, lexicon=secret) for index in range(60)], []

    class Listening(Obedient):
        def sing(self, prompts: list[str], seed: int = 0) -> Tensor:
            asked.append(prompts)
            return torch.ones(len(prompts), SAMPLES)

    floors.pitch(Listening(), drawn, 5, secret)
    words = floors.solitary(drawn, SceneRole.pitch)[:5]
    for prompts, value in zip(asked, ("high", "low"), strict=True):
        assert prompts == [spoken.instead(secret.pitch[value][0]) for spoken in words]


def test_a_half_alone_is_silent_in_the_other() -> None:
    audio = torch.ones(2, SAMPLES)
    early, late = floors.alone(audio, "early"), floors.alone(audio, "late")
    assert torch.equal(early + late, audio)
    assert early[:, : round(HALF * SAMPLE_RATE)].all()
    assert not late[:, : round(HALF * SAMPLE_RATE)].any()


def test_centroids_of_real_events_tell_high_from_low() -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for index in range(400):
        item = scene("train", index)
        new = [bool(event.pitch) and len(found.get((event.label, event.pitch), ())) < 3 for event in item.events]
        for wanted, event, stem in zip(new, item.events, render(item).stems if any(new) else new, strict=True):
            if wanted:
                centre = floors.centroids(torch.from_numpy(stem)[None], [event.label])[0]
                found.setdefault((event.label, event.pitch), []).append(float(centre))
    for label in LABELS:
        assert min(found[label, "high"]) > max(found[label, "low"]) + floors.HIGHER_OCTAVES, label


def test_the_state_of_one_word_and_of_the_special_tokens_is_removed() -> None:
    asked = []

    class Model:
        def encode(self, prompts):
            return SimpleNamespace(states=torch.zeros(len(prompts), 4, 2))

        def words(self, prompts):
            return [np.array([*range(len(prompt.split())), -1]) for prompt in prompts]

        def generate(self, text, seeds, kept):
            asked.append((seeds, kept.tolist()))
            return None, torch.zeros(len(seeds), 8)

    audio = floors.without_states(SimpleNamespace(model=Model()), ["no dog here", "no dog"], [0, 1])
    assert audio.shape == (2, 8)
    assert asked[0][0] == [0, 1]
    assert asked[0][1][0] == [0, 1, 1, 0]
    assert asked[0][1][1][:3] == [1, 0, 0]
