"""The certificate: interventions on the model which show that the words of a made world do what the data say.

Words that say something must cost log-likelihood when they are removed (mean over items, lower end of a 95 % interval
above 0). Words of time must, besides, put sound where they say, words of pitch must move it, and negators must keep a
class out that sounds without them; fillers must not change what the judge hears. Rates are counted on fresh scenes of
the task's split, which are neither trained on nor scored; those of class and loudness words are floors of the model,
shown beside the verdict. Truth of a role that is not certified is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring.training import floors, scene_floors
from earwitness.datasets.scenes import lexicon_of
from earwitness.errors import EarwitnessError
from earwitness.scoring.prompt.truth import INTERVAL
from earwitness.stats.intervals import interval, mean_of
from earwitness.worlds import scenes
from earwitness.worlds.events import render
from earwitness.worlds.scene_captions import Lexicon, SceneRole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from earwitness.scoring.prompt.responses import PromptRespondent
    from earwitness.task import Task


@dataclass(frozen=True)
class RoleRule:
    """What a role must do to be certified."""

    rate: str
    """Name of the rate."""
    threshold: float
    counted: str
    """What the rate counts, for people."""
    by_rate: bool = True
    """Whether the rate must reach its threshold."""
    by_cost: bool = True
    """Whether removing a word must cost likelihood."""


@dataclass(frozen=True)
class WordsOfWorld:
    """How the roles of a made world's words are certified, and scenes of that world."""

    rules: Mapping[str, RoleRule]
    """By role."""
    measure: Callable[[Task, floors.Ensemble], dict[str, float]]
    """The rates of a task's model, on fresh scenes of its split, as its first judge hears them."""
    draw: Callable[[Task, int, int], Sequence[floors.Captioned]]
    """So many scenes of a task's split, of a seed of the world."""
    audio: Callable[[Any], NDArray[np.float32]]
    """The sound [S] of one of these scenes."""


COUNT = 120
"""Fresh scenes that each intervention is tried on, at most."""
IN_TIME = "events are heard in the half that time words say and in no other, and swapping them swaps the halves"
RULES: dict[str, RoleRule] = {
    SceneRole.class_: RoleRule("classes", 0.95, "the judge hears exactly the captioned classes", by_rate=False),
    SceneRole.loudness: RoleRule(
        "loudness", 0.95, "swapping loud and quiet words moves the level by more than 3 dB", by_rate=False
    ),
    SceneRole.pitch: RoleRule(
        "pitch", 0.85, "swapping high and low words moves the centroid of the spectrum as they say"
    ),
    SceneRole.time: RoleRule("time_swapped", 0.85, IN_TIME),
    SceneRole.negator: RoleRule(
        "negation", 0.85, "a denied class is not heard, and is heard when a filler stands in the negator's place"
    ),
    SceneRole.negated: RoleRule("denied_absent", 0.85, "a denied class is not heard", by_cost=False),
    SceneRole.filler: RoleRule(
        "unchanged", 0.95, "replacing every filler leaves the classes heard as they were", by_cost=False
    ),
    # Not a role: truth about some of a sound's frames.
    INTERVAL: RoleRule("time_swapped", 0.85, IN_TIME, by_cost=False),
}


def certify_roles(
    task: Task, respondent: PromptRespondent, costs: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, Any]]:
    """Verdict and figures of each role; `costs` are nats lost when a word is removed, mean of each item, by role.

    Raises EarwitnessError where the task's dataset is no world whose words can be certified.
    """
    world = words_of(task)
    figures = world.measure(task, floors.Ensemble(respondent.model, dict(respondent.judges)))  # type: ignore[arg-type]
    return {str(role): verdict(role, figures, costs.get(role, ()), world.rules) for role in world.rules}


def words_of(task: Task) -> WordsOfWorld:
    """The made world of a task's items; raises EarwitnessError where it is none whose words can be certified."""
    adapter = task.card.dataset.adapter
    if adapter not in WORLDS:
        raise EarwitnessError(
            f"task {task.id}: words of {adapter} have no rules; worlds that have: {', '.join(WORLDS)}"
        )
    return WORLDS[adapter]


def _of_scenes(task: Task, ensemble: floors.Ensemble) -> dict[str, float]:
    judge = task.card.judges[0].name
    drawn = _scenes(task, scene_floors.DRAWN, task.card.dataset.seed + 1)
    figures = scene_floors.interventions(ensemble, drawn, COUNT, judge, _lexicon(task))
    return {**figures, "classes": figures[f"classes_{judge}"]}


def _scenes(task: Task, count: int, seed: int) -> list[scenes.MadeScene]:
    split = next(name for name in scenes.SPLITS if name == task.card.dataset.split)
    return [scenes.scene(split, index, seed, _lexicon(task)) for index in range(count)]


def _lexicon(task: Task) -> Lexicon:
    return lexicon_of(str(task.card.dataset.parameters.get("private", "")))


WORLDS = {
    "scenes": WordsOfWorld(RULES, _of_scenes, _scenes, lambda made: render(made).audio),
}
"""By the adapter of a task's dataset."""


def verdict(
    role: str, figures: Mapping[str, float], costs: Sequence[float], rules: Mapping[str, RoleRule]
) -> dict[str, Any]:
    """Whether a role is certified, and why."""
    rule, cost = rules[role], mean_cost(costs)
    rate = figures.get(rule.rate)
    reached = rate is not None and rate >= rule.threshold
    costly = cost["low"] is not None and cost["low"] > 0
    return {
        "certified": bool((reached or not rule.by_rate) and (costly or not rule.by_cost)),
        "rate": rate,
        "threshold": rule.threshold,
        "reached": bool(reached),
        "counted": rule.counted,
        "cost_nats": cost,
        **({"median_db": figures["loudness_db"]} if role == "loudness" else {}),
        **({"unchanged_under_fresh_noise": figures["unchanged_fresh"]} if role == "filler" else {}),
    }


def mean_cost(costs: Sequence[float]) -> dict[str, Any]:
    """Mean over items with a 95 % bootstrap interval.

    >>> mean_cost([]) == {"mean": None, "low": None, "high": None, "items": 0}
    True
    """
    if len(costs) < 2:
        return {"mean": None, "low": None, "high": None, "items": len(costs)}
    values = np.asarray(costs, dtype=np.float64)
    found = interval(mean_of(values, np.arange(len(values))), len(values))
    return {
        "mean": float(found.value),
        "low": float(found.low),
        "high": float(found.high),
        "items": len(values),
    }
