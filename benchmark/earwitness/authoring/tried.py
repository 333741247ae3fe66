"""What an audit tries on the items of a task: the random explainer, the ceilings and what is left of them, and
explanations that know nothing, each scored by the code that scores entrants; item by item, resumable.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from earwitness import plugins, registry
from earwitness.authoring import ceilings
from earwitness.authoring.forms import BLIND, FORMS, SIZE, Forms, Places, shares
from earwitness.errors import EarwitnessError
from earwitness.results.cube import FLOOR
from earwitness.results.rows import Status
from earwitness.seeds import derive
from earwitness.submission import load_explainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earwitness.stats.intervals import Array
    from earwitness.task import Task
    from earwitness.tracks import Explanation, Item

EXPLAINER_SEEDS = (0, 1, 2)
"""Of the random explainer."""
AT_ONCE = 16
"""Explanations that are scored together."""


@dataclass(frozen=True)
class Tried:
    """Values of M metrics on N items under G generation seeds; NaN where one is not defined."""

    metrics: list[str]
    items: list[str]
    random: Array
    """[N, G, X, M] of the random explainer, under X explainer seeds."""
    forms: Array
    """[N, F, G, M] of the six forms of a ceiling, the metric's own or that of the main metric; NaN without one."""
    blind: dict[str, Array]
    """[N, G, M] by name, of `forms.BLIND`."""
    own: frozenset[str] = frozenset()
    """Metrics whose forms are of their own ceiling on every item."""


class Trial:
    """The explanations of a task's items, and their values."""

    def __init__(self, task: Task, scoring: Any) -> None:
        """Raises EarwitnessError where the track has no forms to try, or the random explainer is of another track."""
        self.task = task
        self.scoring = scoring
        track = task.card.track
        if track in plugins.points("tracks"):
            raise EarwitnessError(f"task {task.id}: metrics of the plugged-in track {track} cannot be audited")
        self._forms = cast("Forms", import_module(f"{__package__}.{track}.forms"))
        self.truth: str | None = getattr(self._forms, "MODEL_TRUTH", None)
        """Id of the metric that compares with model truth; None where the track has none."""
        self._chosen: Callable[..., Explanation] = import_module(f"{__package__}.{track}").chosen
        self._random = load_explainer(registry.submission(FLOOR), track)
        self._own = _own_choices(task)
        self._choices = _choices(task, self._own)

    def values(self, item: Item) -> list[dict[str, Any]]:
        """Values of everything that is tried on an item, as rows of `name`, `metric`, `seed` and `value`."""
        tried = list(self._tried(item).items())
        rows: list[dict[str, Any]] = []
        for start in range(0, len(tried), AT_ONCE):
            some = tried[start : start + AT_ONCE]
            scored = self.scoring.score([(item, explanation) for _, explanation in some])
            rows += [
                {"name": name, "metric": value.metric, "seed": value.generation_seed, "value": value.value}
                for (name, _), values in zip(some, scored, strict=True)
                for value in values
                if value.status == Status.OK
            ]
        return rows

    def _tried(self, item: Item) -> dict[str, Explanation]:
        model, seed = self.scoring.model, derive(self.task.seed_key, item.id, "audit")
        noise = [self._random.explain(model, self.scoring.seeded(item, number)) for number in EXPLAINER_SEEDS]
        found = {_random_name(number): each for number, each in zip(EXPLAINER_SEEDS, noise, strict=True)}
        rng = np.random.default_rng(seed)
        found |= self._forms.blind(model, item, rng)
        kept: Explanation | None = None
        for choice in sorted(set(self._choices.get(item.id, {}).values())):
            kept = self._chosen(self.scoring, item, choice)
            for step, share in enumerate(shares()[:-1]):
                places = Places(seed, share)
                found[_form_name(choice, step)] = self._forms.mix(model, item, kept, noise[0], places) if step else kept
        main = self._choices.get(item.id, {}).get(self.task.card.main_metric)
        if main is not None or kept is not None:
            whole = found[_form_name(main, 0)] if main is not None else kept
            found[SIZE] = self._forms.shuffled(model, item, whole, rng)
        return found

    def arrays(self, items: Sequence[str], rows: dict[str, list[dict[str, Any]]]) -> Tried:
        """The rows of items, as arrays."""
        metrics = [metric.id for metric in self.task.card.metrics]
        seeds = sorted({row["seed"] for some in rows.values() for row in some})
        known: dict[tuple[str, str, int, str], float] = {
            (item, row["name"], row["seed"], row["metric"]): row["value"] for item in items for row in rows[item]
        }

        def cells(name: Callable[[str, str], str]) -> Array:
            found = np.full((len(items), len(seeds), len(metrics)), np.nan)
            for place, item in enumerate(items):
                for number, metric in enumerate(metrics):
                    own = name(item, metric)
                    found[place, :, number] = [known.get((item, own, seed, metric), np.nan) for seed in seeds]
            return found

        def form(step: int) -> Callable[[str, str], str]:
            if step == FORMS - 1:
                return lambda item, metric: _random_name(0)
            return lambda item, metric: _form_name(self._choices.get(item, {}).get(metric, ""), step)

        return Tried(
            metrics,
            list(items),
            np.stack([cells(lambda i, m, n=n: _random_name(n)) for n in EXPLAINER_SEEDS], axis=2),  # type: ignore[misc]
            np.stack([cells(form(step)) for step in range(FORMS)], axis=1),
            {name: cells(lambda i, m, name=name: name) for name in BLIND},  # type: ignore[misc]
            self._own_forms(items),
        )

    def _own_forms(self, items: Sequence[str]) -> frozenset[str]:
        """Metrics that are asked about forms of their own ceiling on each of these items that has one."""
        known = [(self._own.get(item, {}), self._choices.get(item, {})) for item in items]
        return frozenset(
            metric
            for metric in {metric for own, _ in known for metric in own}
            if all(own[metric] == asked.get(metric) for own, asked in known if metric in own)
        )


def _random_name(number: int) -> str:
    return f"random {number}"


def _form_name(choice: str, step: int) -> str:
    return f"{choice} | {step}"


def _own_choices(task: Task) -> dict[str, dict[str, str]]:
    """The explanation that each metric's own ceiling is, by item and metric."""
    own: dict[str, dict[str, str]] = {}
    for row in ceilings.read(task):
        if row["kind"] == ceilings.BEST and row["choice"]:
            own.setdefault(row["item"], {}).setdefault(row["metric"], row["choice"])
    return own


def _choices(task: Task, own: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The explanation whose forms each metric is asked about, by item and metric.

    A metric's own ceiling for headline metrics and for those that share theirs with one; else the main metric's.
    """
    headline = {metric.id for metric in task.card.metrics if metric.headline} | {task.card.main_metric}
    found: dict[str, dict[str, str]] = {}
    for item, choices in own.items():
        tried = {choice for metric, choice in choices.items() if metric in headline}
        main = choices.get(task.card.main_metric)
        for metric in (metric.id for metric in task.card.metrics):
            choice = choices.get(metric)
            choice = choice if choice in tried else main
            if choice is not None:
                found.setdefault(item, {})[metric] = choice
    return found
