"""The certificate: interventions on the model which show that the words of a made world do what the data say.

Class, loudness and order words must cost log-likelihood when they are removed (mean over items, lower end of a 95 %
interval above 0). Order words must, besides, put sound where they say, and fillers must not change what the judge
hears. Rates are counted on fresh scenes of the task's split, which are neither trained on nor scored; those of class
and loudness words are floors of the model, shown beside the verdict. Truth of a role that is not certified is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring.training import floors
from earwitness.stats.intervals import interval, mean_of
from earwitness.worlds.captions import FILLERS, Role
from earwitness.worlds.soundscape import SPLITS, scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.scoring.prompt.responses import PromptRespondent
    from earwitness.task import Task
    from earwitness.worlds.soundscape import Scene


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


SCENES, COUNT = 300, 120
"""Fresh scenes that are drawn, and how many of them each intervention is tried on at most."""
RULES = {
    Role.class_: RoleRule("classes", 0.95, "the judge hears exactly the captioned classes", by_rate=False),
    Role.loudness: RoleRule(
        "loudness", 0.95, "swapping loud and quiet words moves the level by more than 3 dB", by_rate=False
    ),
    Role.order: RoleRule("order_swapped", 0.85, "sound is where order words say, and swapping them swaps the halves"),
    Role.filler: RoleRule(
        "unchanged", 0.95, "replacing every filler leaves the classes heard as they were", by_cost=False
    ),
}


def certify_roles(
    task: Task, respondent: PromptRespondent, costs: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, Any]]:
    """Verdict and figures of each role; `costs` are nats lost when a word is removed, mean of each item, by role."""
    card = task.card.dataset
    split = next(name for name in SPLITS if name == card.split)
    order = bool(card.parameters.get("order", False))
    scenes = [scene(split, index, card.seed + 1, order) for index in range(SCENES)]
    name = task.card.judges[0].name
    ensemble = floors.Ensemble(respondent.model, dict(respondent.judges))  # type: ignore[arg-type]
    figures = {
        **floors.obedience(ensemble, scenes[:COUNT]),
        **floors.loudness(ensemble, scenes, COUNT),
        **(floors.order(ensemble, scenes, COUNT) if any(item.events[0].order for item in scenes) else {}),
        **unchanged(ensemble, name, scenes[:COUNT]),
    }
    figures["classes"] = figures[f"classes_{name}"]
    return {str(role): verdict(role, figures, costs.get(str(role), ())) for role in RULES}


def verdict(role: Role, figures: Mapping[str, float], costs: Sequence[float]) -> dict[str, Any]:
    """Whether a role is certified, and why."""
    rule, cost = RULES[role], mean_cost(costs)
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
        **({"median_db": figures["loudness_db"]} if role == Role.loudness else {}),
        **({"unchanged_under_fresh_noise": figures["unchanged_fresh"]} if role == Role.filler else {}),
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


def unchanged(ensemble: floors.Ensemble, judge: str, scenes: Sequence[Scene]) -> dict[str, float]:
    """How often the judge hears the same classes when every filler is another one, and when only the noise is other."""
    prompts = [item.caption.text for item in scenes]
    rng = np.random.default_rng(0)
    before = _heard(ensemble, judge, ensemble.sing(prompts))
    after = _heard(ensemble, judge, ensemble.sing([replace_fillers(prompt, rng) for prompt in prompts]))
    fresh = _heard(ensemble, judge, ensemble.sing(prompts, seed=len(prompts)))
    return {
        "unchanged": float((before == after).all(1).mean()),
        "unchanged_fresh": float((before == fresh).all(1).mean()),
    }


def replace_fillers(prompt: str, rng: np.random.Generator) -> str:
    """The prompt with every filler replaced by another one.

    >>> replace_fillers("dog", np.random.default_rng(0))
    'dog'
    """
    return " ".join(
        str(rng.choice([filler for filler in FILLERS if filler != word])) if word in FILLERS else word
        for word in prompt.split()
    )


def _heard(ensemble: floors.Ensemble, judge: str, audio: Tensor) -> NDArray[np.bool_]:
    return np.asarray(ensemble.presence(audio, judge).numpy() > 0.5)
