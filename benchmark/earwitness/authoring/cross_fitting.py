"""Ceilings of tracks in which nothing is sampled: candidates are chosen on other items than they are scored on.

For each metric the candidate with the best mean is the ceiling, that with the worst the anti-oracle. Of a made world
they are chosen on fresh items, and of the task's items the chosen alone are asked. Of other data nothing is drawn
afresh: every candidate is asked of every item, and what is best on one half of the clusters is the ceiling on the
other half. Nothing is chosen by what it is scored on, so that a metric of pure noise has a ceiling that is no better
than any other explanation.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from earwitness.authoring import ceilings, work
from earwitness.authoring.ceilings import BEST, TRUTH, WORST
from earwitness.errors import EarwitnessError
from earwitness.results.rows import Status
from earwitness.scoring import Setting
from earwitness.scoring.loading import adapter
from earwitness.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.progress import Progress

    from earwitness.scoring.columns import Column

    Candidates: TypeAlias = Mapping[str, Callable[[], Any]]
    """Explanations by name, each made when it is called."""
    Choices: TypeAlias = Mapping[tuple[str, str], str]
    """Name of the candidate by metric and kind."""

CHOICE_SEED = 3
"""What the seed of the fresh items lies above that of the card's; certificates take 1, comparisons of judges 2."""


@dataclass(frozen=True)
class Search:
    """How the ceilings of a track are searched."""

    open_scoring: Callable[[Setting], Any]
    candidates: Callable[[Any, Any], Candidates]
    """Of a scoring and one of its items."""
    fresh: int
    """Fresh items of a made world that candidates are chosen on."""
    truth: str = ""
    """Name of the candidate whose values are kept whatever is chosen."""
    unknown: tuple[str, ...] = ()
    """Metrics that this truth says nothing of."""


def renew(search: Search, task: Task, device: str, progress: bool, items: int | None = None) -> int:
    """Write `truth/ceiling.parquet` anew, nothing else of the truth, and return its rows; resumes where it was stopped.

    Of the first `items` of the task, or of all. Raises EarwitnessError as `cross_fitted`, and where the file cannot be
    written.
    """
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        done = work.Work.of(task)
        rows = cross_fitted(search, Setting(task, items=items, device=device, cache=Path(cache)), bars, done)
        ceilings.write(task, rows)
        done.path.unlink(missing_ok=True)
    return len(rows)


def cross_fitted(search: Search, setting: Setting, bars: Progress, done: work.Work) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA` of a setting's items.

    Raises EarwitnessError where the dataset is no made world and its items are of one cluster.
    """
    dataset = setting.task.card.dataset
    if not adapter("datasets", dataset.adapter, setting.task).says("MADE"):
        return _halved(search, setting, bars, done)
    seed = dataset.seed + CHOICE_SEED
    fresh = search.open_scoring(replace(setting, task=_few(search.fresh, setting.task), fresh=seed))
    tried = work.each(bars, "choices", fresh.items()[0], done, lambda item: trial(search, fresh, item))
    scoring = search.open_scoring(setting)
    choices = choose(tried, scoring.metrics)
    return work.each(bars, "ceilings", scoring.items()[0], done, lambda item: ends(search, scoring, item, choices))


def _halved(search: Search, setting: Setting, bars: Progress, done: work.Work) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA` of items of which no more can be drawn: chosen on one half, scored on the other."""
    scoring = search.open_scoring(setting)
    items, clusters = scoring.items()[0], scoring.clusters()
    known = [clusters[item.id] for item in items]
    if len(set(known)) < 2:
        raise EarwitnessError(
            f"task {setting.task.id}: its {len(items)} items are of one cluster, and ceilings are chosen on one half "
            "of the clusters and scored on the other; take more items"
        )
    rows = work.each(bars, "candidates", items, done, lambda item: _tried(search, scoring, item))
    second = halves(known)
    sides = [{item.id for item, side in zip(items, second, strict=True) if side == half} for half in (False, True)]
    found = []
    for own, other in (sides, sides[::-1]):
        choices = choose([row for row in rows if row["item"] in other], scoring.metrics)
        found += _kept(search, [row for row in rows if row["item"] in own], choices, scoring.originals.seeds[0])
    place = {item.id: number for number, item in enumerate(items)}
    return sorted(found, key=lambda row: place[row["item"]])


def _tried(search: Search, scoring: Any, item: Any) -> list[dict[str, Any]]:
    return [{"item": item.id, **row} for row in trial(search, scoring, item)]


def _kept(search: Search, rows: Iterable[Mapping[str, Any]], choices: Choices, seed: int) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA` of what was tried: what was chosen for each metric, and the truth's own values."""
    found = []
    for row in rows:
        metric, name = row["metric"], row["candidate"]
        kinds = [kind for kind in (BEST, WORST) if choices.get((metric, kind)) == name]
        if name == search.truth and metric.partition("@")[0] not in search.unknown:
            kinds.append(TRUTH)
        found += [ceilings.row(kind, metric, row["item"], seed, row["value"], name) for kind in kinds]
    return found


def halves(clusters: Sequence[str]) -> list[bool]:
    """Whether each item is of the second half, by its cluster: no cluster is torn, and halves are as even as may be.

    >>> halves(["a", "b", "b", "c", "a", "d"])
    [False, True, True, False, False, True]
    """
    sizes = Counter(clusters)
    weight, second = [0, 0], dict[str, bool]()
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        second[name] = weight[1] < weight[0]
        weight[second[name]] += sizes[name]
    return [second[name] for name in clusters]


def trial(search: Search, scoring: Any, item: Any) -> list[dict[str, Any]]:
    """The value of every candidate of an item by each metric that has a direction."""
    directed = _directed(scoring.metrics)
    return [
        {"candidate": name, "metric": metric, "value": value}
        for name, make in search.candidates(scoring, item).items()
        for metric, value in _values(scoring, item, make(), directed).items()
    ]


def choose(tried: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> dict[tuple[str, str], str]:
    """The candidate with the best and with the worst mean of each metric, among those that have most of the values."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in tried:
        values.setdefault(row["metric"], {}).setdefault(row["candidate"], []).append(row["value"])
    choices = {}
    for column in _directed(columns):
        own = values.get(column.id, {})
        most = max(map(len, own.values()), default=0)
        means = {name: float(np.mean(some)) for name, some in own.items() if len(some) == most}
        larger, smaller = (BEST, WORST) if column.metric.direction == "higher" else (WORST, BEST)
        if means:
            choices[column.id, larger] = max(means, key=means.__getitem__)
            choices[column.id, smaller] = min(means, key=means.__getitem__)
    return choices


def ends(search: Search, scoring: Any, item: Any, choices: Choices) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA` of an item: what was chosen for each metric, and the truth's own values."""
    wanted: dict[str, list[tuple[str, str]]] = {}
    for (metric, kind), name in choices.items():
        wanted.setdefault(name, []).append((kind, metric))
    if search.truth:
        known = [column for column in _directed(scoring.metrics) if column.metric.name not in search.unknown]
        wanted.setdefault(search.truth, []).extend((TRUTH, column.id) for column in known)
    candidates, rows = search.candidates(scoring, item), []
    for name, places in wanted.items():
        if name not in candidates:
            continue
        asked = {metric for _, metric in places}
        columns = [column for column in scoring.metrics if column.id in asked]
        found = _values(scoring, item, candidates[name](), columns)
        seed = scoring.originals.seeds[0]
        rows += [ceilings.row(kind, at, item.id, seed, found[at], name) for kind, at in places if at in found]
    return rows


def chosen(search: Search, scoring: Any, item: Any, choice: str) -> Any:
    """The explanation of an item that a choice names; raises EarwitnessError where there is none of that name."""
    candidates = search.candidates(scoring, item)
    if choice not in candidates:
        known = ", ".join(candidates)
        raise EarwitnessError(f"item {item.id} has no explanation {choice!r} among its ceiling's candidates: {known}")
    return candidates[choice]()


def _directed(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.metric.direction != "none"]


def _values(scoring: Any, item: Any, explanation: Any, columns: Sequence[Column]) -> dict[str, float]:
    """The values that an explanation has, by metric."""
    values = _asking(scoring, columns).score([(item, explanation)])[0]
    return {each.metric: each.value for each in values if each.status == Status.OK and each.value is not None}


def _asking(scoring: Any, columns: Sequence[Column]) -> Any:
    """The scoring, asked for some of its metrics alone; what it loads it loads once."""
    for name, value in vars(type(scoring)).items():
        if isinstance(value, cached_property):
            getattr(scoring, name)
    some = copy(scoring)
    some.metrics = list(columns)
    return some


def _few(items: int, task: Task) -> Task:
    """The task with so many items, so that no more are made."""
    dataset = task.card.dataset.model_copy(update={"items": items})
    return Task(task.card.model_copy(update={"dataset": dataset}), task.folder, task.copies, task.own_model)
