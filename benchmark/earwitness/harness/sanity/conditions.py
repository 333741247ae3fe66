"""What an entrant is asked when its sanity is looked at: the same items, and the model or the items spoiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError
from earwitness.harness import score
from earwitness.models.redrawing import layers, redraw
from earwitness.scoring.loading import load_model
from earwitness.scoring.sanity import Permuted, TrackSanity, of_track
from earwitness.seeds import derive

if TYPE_CHECKING:
    from earwitness.harness.recipe import Run
    from earwitness.task import Task
    from earwitness.tracks import Item

STAGES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the model's layers, from the output back, whose parameters are drawn anew."""
TRAINED, AGAIN, MOVED = "trained", "again", "moved"
SEED = 0
"""Of what is spoiled."""


@dataclass(frozen=True)
class Condition:
    """Items that are explained under one state of the model."""

    name: str
    items: tuple[Item, ...]
    redrawn: tuple[str, ...] = ()
    """Layers whose parameters are drawn anew."""
    share: float | None = None


@dataclass(frozen=True)
class Conditions:
    """All that an entrant is asked, and what comparing the answers needs."""

    conditions: tuple[Condition, ...]
    items: tuple[Item, ...]
    """As the task has them."""
    clusters: dict[str, str]
    layers: int
    moved: dict[str, Permuted] = field(default_factory=dict)
    """By item."""
    unmoved: dict[str, str] = field(default_factory=dict)
    """Why an item's parts cannot be moved about, by item."""


@dataclass(frozen=True)
class ConditionsJob:
    """A run whose first items are prepared."""

    run: Run
    items: int


def prepare(job: ConditionsJob) -> Conditions:
    """The conditions of a run's first items; runs in a worker.

    Raises EarwitnessError where model or dataset cannot be read, no item can be explained, or the track has no sanity
    checks.
    """
    run = job.run
    sanity = of_track(run.task.card.track)
    scoring: Any = score.load(score.resolve(run.setting))
    items = tuple(scoring.items(list(scoring.clusters())[: job.items])[0])
    if not items:
        raise EarwitnessError(f"task {run.task.id}: none of its first {job.items} items can be explained")
    model = scoring.model
    names = layers(model.module, lambda: sanity.run(model, items[0]))
    if not names:
        raise EarwitnessError(
            f"task {run.task.id}: a pass calls no layer of its model's module, so none can be redrawn"
        )
    seed = run.arguments.explainer_seeds[0]
    trained, again = (tuple(scoring.seeded(item, number) for item in items) for number in (seed, seed + 1))
    moved, unmoved = _moved(sanity, again, scoring)
    found = [Condition(TRAINED, trained), Condition(AGAIN, again)]
    found += _stages(run, names, again, scoring)
    if moved:
        found.append(Condition(MOVED, tuple(moved[item.id].item for item in again if item.id in moved)))
    return Conditions(tuple(found), items, scoring.clusters(), len(names), moved, unmoved)


def _moved(sanity: TrackSanity, items: tuple[Item, ...], scoring: Any) -> tuple[dict[str, Permuted], dict[str, str]]:
    moved, unmoved = {}, {}
    for item in items:
        try:
            moved[item.id] = sanity.permuted(item, scoring, derive(item.id, MOVED, SEED))
        except EarwitnessError as error:
            unmoved[item.id] = str(error)
    return moved, unmoved


def _stages(run: Run, names: list[str], items: tuple[Item, ...], scoring: Any) -> list[Condition]:
    """A condition a stage, each of whose models has more layers drawn anew."""
    sanity, spoiled = of_track(run.task.card.track), _SpoiledModel(run.task, score.resolve(run.setting).device)
    found = []
    for share in STAGES:
        chosen = tuple(names[: max(1, round(share * len(names)))])
        under = tuple(sanity.under(item, scoring, partial(spoiled.at, chosen)) for item in items)
        found.append(Condition(f"redrawn-{share:g}", under, chosen, share))
    return found


class _SpoiledModel:
    """A copy of a task's model whose layers are drawn anew as they are asked for, to what they are in a box."""

    def __init__(self, task: Task, device: str) -> None:
        self._task, self._device = task, device
        self._model: Any = None
        self._done: set[str] = set()

    def at(self, names: tuple[str, ...]) -> Any:
        """The model with these layers drawn anew, and those of the calls before."""
        if self._model is None:
            self._model = load_model(self._task, self._device)
        redraw(self._model.module, [name for name in names if name not in self._done], SEED)
        self._done |= set(names)
        return self._model
