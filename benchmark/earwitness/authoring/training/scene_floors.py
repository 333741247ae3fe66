"""What trained models of scenes reach: the floors that a task's models must pass, measured on held-out scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earwitness.authoring.training.floors import (
    BATCH,
    Ensemble,
    exact,
    hearing,
    level_db,
    obedience,
    unchanged,
)
from earwitness.worlds.events import SAMPLES, Time, render
from earwitness.worlds.scene_captions import PUBLIC, Lexicon, SceneCaption, SceneRole, SceneWord
from earwitness.worlds.scenes import MadeScene, Split, scene
from earwitness.worlds.sounds import SAMPLE_RATE

DRAWN = 1500
"""Scenes among which those are sought that an intervention can be tried on."""
LOUDER_DB, HIGHER_OCTAVES = 3.0, 0.1
"""What a swapped word must move, at least."""
LOW_THUMP = 1000.0
"""Hz: above it a hammer is noise that has no pitch."""
MIDDLE = SAMPLES // 2


class SpokenOf(NamedTuple):
    """A word of a scene's caption."""

    item: MadeScene
    place: int

    @property
    def word(self) -> SceneWord:
        """The word."""
        return self.item.caption.words[self.place]

    def instead(self, text: str) -> str:
        """The caption with another word in its place."""
        return " ".join(text if at == self.place else word.text for at, word in enumerate(self.item.caption.words))


def measure(
    folder: Path,
    split: Split = "validation",
    captions: int = 120,
    real: int = 300,
    lexicon: Lexicon = PUBLIC,
    beside: Path | None = None,
) -> dict[str, float]:
    """Shares, by name, that the models in a folder reach on a split; see issue texts and task cards for the floors.

    Judges are those of the folder `beside` where there is one.
    """
    torch.set_num_threads(1)
    ensemble, drawn = Ensemble.from_folder(folder, beside), scenes_of(split, lexicon=lexicon)
    audio = torch.from_numpy(np.stack([render(item).audio for item in drawn[:real]]))
    return {
        **hearing(ensemble, drawn[:real], audio),
        **hearing_halves(ensemble, drawn[:real], audio),
        **interventions(ensemble, drawn, captions, next(iter(ensemble.judges)), lexicon),
    }


def scenes_of(split: Split, seed: int = 0, lexicon: Lexicon = PUBLIC) -> list[MadeScene]:
    """Scenes to seek those in that an intervention can be tried on."""
    return [scene(split, index, seed, lexicon) for index in range(DRAWN)]


def interventions(
    ensemble: Ensemble, scenes: Sequence[MadeScene], count: int, judge: str, lexicon: Lexicon = PUBLIC
) -> dict[str, float]:
    """Whether the model does what each role's words say, on at most so many of the scenes, as one judge hears it."""
    return {
        **obedience(ensemble, scenes[:count]),
        **loudness(ensemble, scenes, count, lexicon),
        **pitch(ensemble, scenes, count, lexicon),
        **time(ensemble, scenes[:count], judge, lexicon),
        **negation(ensemble, scenes, count, judge, lexicon),
        **unchanged(ensemble, judge, scenes[:count], lexicon.fillers),
    }


def hearing_halves(ensemble: Ensemble, scenes: Sequence[MadeScene], audio: Tensor) -> dict[str, float]:
    """How often each judge names exactly the classes of a half of audio [B, S] of the world."""
    early, late = alone(audio, "early"), alone(audio, "late")
    sounding = [item.heard("early") for item in scenes] + [item.heard("late") for item in scenes]
    both = torch.cat([early, late])
    return {f"{name}_halves": exact(ensemble, name, both, sounding) for name in ensemble.judges}


def loudness(
    ensemble: Ensemble, scenes: Sequence[MadeScene], count: int, lexicon: Lexicon = PUBLIC
) -> dict[str, float]:
    """How often an event that sounds alone comes out louder or softer as its swapped word says, and by how much."""
    words = solitary(scenes, SceneRole.loudness)[:count]
    loud, quiet = (_halves(ensemble, words, lexicon.loudness[value][0]) for value in ("loud", "quiet"))
    change = level_db(loud) - level_db(quiet)
    return {"loudness": float((change > LOUDER_DB).mean()), "loudness_db": float(np.median(change))}


def pitch(ensemble: Ensemble, scenes: Sequence[MadeScene], count: int, lexicon: Lexicon = PUBLIC) -> dict[str, float]:
    """How often an event that sounds alone comes out higher or lower as its swapped word says, and by how much."""
    words = solitary(scenes, SceneRole.pitch)[:count]
    labels = [_label(spoken) for spoken in words]
    high, low = (centroids(_halves(ensemble, words, lexicon.pitch[value][0]), labels) for value in ("high", "low"))
    return {
        "pitch": float((high - low > HIGHER_OCTAVES).mean()),
        "pitch_octaves": float(np.median(high - low)),
    }


def time(ensemble: Ensemble, scenes: Sequence[MadeScene], judge: str, lexicon: Lexicon = PUBLIC) -> dict[str, float]:
    """How often time words put an event into their half and not into the other, and how often swapping them swaps."""
    timed = [item for item in scenes if any(event.time for event in item.events)]
    if not timed:
        return {}
    straight = ensemble.sing([item.caption.text for item in timed])
    turned = ensemble.sing([mirrored(item.caption, lexicon) for item in timed])
    labels, found = ensemble.judges[judge].labels, []
    heard = {
        (swapped, half): (ensemble.presence(alone(audio, half), judge) > 0.5).numpy()
        for swapped, audio in ((False, straight), (True, turned))
        for half in _HALVES
    }
    for row, item in enumerate(timed):
        for event in item.events:
            if event.time is not None:
                at, own, other = labels.index(event.label), event.time, _OTHER[event.time]
                found.append(
                    (
                        heard[False, own][row, at] and not heard[False, other][row, at],
                        heard[True, other][row, at] and not heard[True, own][row, at],
                    )
                )
    right, swaps = np.array(found).reshape(-1, 2).T
    return {"time": float(right.mean()), "time_swapped": float((right & swaps).mean())}


def negation(
    ensemble: Ensemble, scenes: Sequence[MadeScene], count: int, judge: str, lexicon: Lexicon = PUBLIC
) -> dict[str, float]:
    """How often a denied class is not heard, and is heard where nothing denies it.

    The negator is replaced by a filler, or its state alone is taken away. Scenes that have room for one more event: two
    that sound one after the other.
    """
    denials = [SpokenOf(item, place) for item in scenes if _roomy(item) for place in _places(item, SceneRole.negator)][
        :count
    ]
    if not denials:
        return {}
    prompts = [spoken.item.caption.text for spoken in denials]
    columns = [ensemble.judges[judge].labels.index(_denied(spoken, lexicon)) for spoken in denials]

    def heard(audio: Tensor) -> NDArray[np.bool_]:
        present = ensemble.presence(audio, judge).numpy()
        return np.asarray(present[np.arange(len(columns)), columns] > 0.5)

    absent = ~heard(ensemble.sing(prompts))
    sounds = heard(ensemble.sing([spoken.instead(lexicon.articles[1]) for spoken in denials]))
    stateless = heard(without_states(ensemble, prompts, [spoken.place for spoken in denials]))
    return {
        "denied_absent": float(absent.mean()),
        "negation": float((absent & sounds).mean()),
        "negation_by_state": float((absent & stateless).mean()),
    }


def without_states(ensemble: Ensemble, prompts: Sequence[str], places: Sequence[int]) -> Tensor:
    """Audio [B, S] of prompts without the state of the word at one place of each; prompt i has the seed i.

    Special tokens, whose states carry the whole prompt, are removed, too.
    """
    parts = []
    with torch.inference_mode():
        for start in range(0, len(prompts), BATCH):
            chunk = list(prompts[start : start + BATCH])
            text, owners = ensemble.model.encode(chunk), ensemble.model.words(chunk)
            kept = torch.ones(text.states.shape[:2])
            for row, owner in enumerate(owners):
                kept[row, : len(owner)] = torch.from_numpy(
                    ((owner >= 0) & (owner != places[start + row])).astype(np.float32)
                )
            parts.append(ensemble.model.generate(text, [start + row for row in range(len(chunk))], kept)[1])
    return torch.cat(parts)


def solitary(scenes: Sequence[MadeScene], role: SceneRole) -> list[SpokenOf]:
    """Words of a role whose event is alone in its half."""
    return [
        SpokenOf(item, place)
        for item in scenes
        for place in _places(item, role)
        if (event := item.caption.words[place].event) is not None and item.alone(item.events[event])
    ]


def mirrored(caption: SceneCaption, lexicon: Lexicon = PUBLIC) -> str:
    """The caption with early words made late and late words early."""
    pairs = list(zip(lexicon.time["early"], lexicon.time["late"], strict=True))
    other = dict([*pairs, *((late, early) for early, late in pairs)])
    return " ".join(other[word.text] if word.role == SceneRole.time else word.text for word in caption.words)


def alone(audio: Tensor, half: Time) -> Tensor:
    """Audio [B, S] with the other half silent, so that a judge gets clips of the length that it knows."""
    heard = torch.zeros_like(audio)
    part = slice(0, MIDDLE) if half == "early" else slice(MIDDLE, None)
    heard[:, part] = audio[:, part]
    return heard


def centroids(audio: Tensor, labels: Sequence[str]) -> NDArray[np.float64]:
    """Octaves [B] of the spectrum's centre of power, of audio [B, S] of one class each."""
    spectrum = torch.fft.rfft(audio.double()).abs().square().numpy()
    hertz = np.fft.rfftfreq(audio.shape[1], 1 / SAMPLE_RATE)
    centres = []
    for power, label in zip(spectrum, labels, strict=True):
        band = (hertz >= 50) & (hertz <= (LOW_THUMP if label == "hammer" else SAMPLE_RATE / 2))
        centres.append(np.average(np.log2(hertz[band]), weights=power[band] + 1e-12))
    return np.array(centres)


_HALVES: tuple[Time, ...] = ("early", "late")
_OTHER: dict[Time, Time] = {"early": "late", "late": "early"}


def _halves(ensemble: Ensemble, words: Sequence[SpokenOf], text: str) -> Tensor:
    """The halves [B, S / 2] in which the words' events sound, another word in place of each."""
    audio = ensemble.sing([spoken.instead(text) for spoken in words])
    late = torch.tensor([_event_time(spoken) == "late" for spoken in words])
    return torch.where(late[:, None], audio[:, MIDDLE:SAMPLES], audio[:, :MIDDLE])


def _label(spoken: SpokenOf) -> str:
    assert spoken.word.event is not None
    return spoken.item.events[spoken.word.event].label


def _event_time(spoken: SpokenOf) -> Time | None:
    assert spoken.word.event is not None
    return spoken.item.events[spoken.word.event].time


def _places(item: MadeScene, role: SceneRole) -> list[int]:
    return [place for place, word in enumerate(item.caption.words) if word.role == role]


def _roomy(item: MadeScene) -> bool:
    return len(item.heard("early")) == len(item.heard("late")) == 1 and len(item.events) == 2


def _denied(spoken: SpokenOf, lexicon: Lexicon) -> str:
    word = spoken.item.caption.words[spoken.place + 1].text
    return next(label for label, words in lexicon.classes.items() if word in words)
