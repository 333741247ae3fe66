"""The suite of an adapter of models: its entry, the track's interface, and what the interface documents."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from earwitness import registry, tracks
from earwitness.errors import EarwitnessError
from earwitness.harness.validation import contracts
from earwitness.harness.validation.pace import Clock, for_items, in_words
from earwitness.harness.validation.signatures import untaken
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.harness.validation.submissions import micro_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.plugins import Adapter
    from earwitness.task import Task

BEHAVIOUR = "shapes, seeds and gradients on one tiny input: under a minute for a small model, minutes for a large one"


def validate(adapter: Adapter, options: Options, say: Say) -> Report:
    """Check an adapter with one model; raises EarwitnessError where none is named to check it with."""
    if not options.source:
        raise EarwitnessError(
            f"model {adapter.name}: --source says which model to read: a folder, a hub id or a task with its own, "
            f"{', '.join(_tasks())}"
        )
    source, parameters = _source(options.source, adapter)
    built = SimpleNamespace(model=None, track=options.track)

    def builds() -> Iterator[str]:
        built.model = adapter.entry(source, revision="main", device=options.device, **parameters)
        if built.model is None:
            yield f"{adapter.entry.__name__} returns nothing; return the model"

    def fulfils() -> Iterator[str]:
        built.track = built.track or nearest_track(built.model)
        kind = type(built.model).__name__
        interface = tracks.load(built.track).model
        for name in tracks.lacks(interface, built.model):
            yield f"{kind} has no {name}: {_says(interface, name)} (`{interface.__module__}.{interface.__name__}`)"

    def behaves() -> Iterator[str]:
        contract = contracts.of(built.track)
        timed = Clock(built.model, tracks.load(built.track).model, options.device, say)
        yield from contract.check_model(timed)
        task = _measure(options.source, built.track)
        for name, what in contract.CALLS.items():
            seconds = timed.seconds(name)
            if seconds is not None:
                whole = f"{what} took {in_words(seconds)}"
                yield ReportNote(for_items(what, seconds, task.card.dataset.items, task.id) if task else whole)

    steps = [
        Step("its entry and its parameters", lambda: untaken(adapter.entry, ("revision", "device"))),
        Step(f"reading the model of {options.source}", builds),
        Step("whether it has all of its track's interface", fulfils),
        Step(BEHAVIOUR, behaves),
    ]
    return report("model", adapter.name, steps, say)


def _measure(source: str, track: str) -> Task | None:
    """The task whose number of items is told of: the one that is named, or the track's own small one; None without."""
    if source in registry.task_ids():
        return registry.task(source)
    try:
        return micro_task(track)
    except EarwitnessError:
        return None


def nearest_track(model: Any) -> str:
    """The track whose interface a model lacks least of."""
    return min(tracks.names(), key=lambda name: len(tracks.lacks(tracks.load(name).model, model)))


def _says(interface: type[Any], name: str) -> str:
    """What the interface says of a member."""
    lines = (getattr(getattr(interface, name, None), "__doc__", None) or "").strip().splitlines()
    return lines[0] if lines else f"a value of type {interface.__annotations__.get(name, 'Any')}"


def _tasks() -> list[str]:
    """Ids of the tasks whose model is here."""
    cards = [registry.task(name) for name in registry.task_ids()]
    return [task.id for task in cards if (task.folder / task.card.model.source).is_dir()]


def _source(source: str, adapter: Adapter) -> tuple[str, dict[str, Any]]:
    """Where to read, and with which parameters: a task's where it is named, those of them that the adapter takes."""
    if source not in registry.task_ids():
        return source, {}
    task = registry.task(source)
    taken = inspect.signature(adapter.entry).parameters
    return task.source(task.card.model.source), {k: v for k, v in task.card.model.parameters.items() if k in taken}
