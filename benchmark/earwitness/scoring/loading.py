"""What a task card names, loaded: the records of its dataset, its model, its judges. The same for every track."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError, InvalidCardError

if TYPE_CHECKING:
    from collections.abc import Collection

    from earwitness.judges import Judge
    from earwitness.scoring import Setting
    from earwitness.task import Task


def load_records(setting: Setting) -> list[Any]:
    """Records of the task's dataset, of a fresh draw where the setting asks for one.

    Raises EarwitnessError where the dataset cannot be read, repeats an id, or is no world that draws afresh.
    """
    card = setting.task.card.dataset
    dataset = adapter("earwitness.datasets", card.adapter, setting.task)
    load, source = dataset.load, setting.task.source(card.source) if card.source else ""
    if setting.fresh is not None:
        if not getattr(dataset, "MADE", False):
            raise EarwitnessError(f"task {setting.task.id}: --fresh draws from a made world, and {card.source} is none")
        source = ""
    accepted = inspect.signature(load).parameters
    revision = {"revision": card.revision} if "revision" in accepted else {}
    seed = card.seed if setting.fresh is None else setting.fresh
    found = list(load(source, split=card.split, items=card.items, seed=seed, **revision, **card.parameters))
    ids = [record.id for record in found]
    doubles = sorted({item for item in ids if ids.count(item) > 1})
    if doubles:
        raise EarwitnessError(f"task {setting.task.id}: items with the same id: {', '.join(doubles[:5])}")
    return found


def load_model(task: Task, device: str) -> Any:
    """A task's model, behind its track's interface; raises ModelError where it cannot be read."""
    card = task.card.model
    found = adapter("earwitness.models", card.adapter, task)
    return found.from_pretrained(task.source(card.source), revision=card.revision, device=device, **card.parameters)


def load_judges(task: Task, names: Collection[str], device: str) -> dict[str, Judge]:
    """The judges of these names, by name; raises ModelError where one cannot be read."""
    return {
        card.name: adapter("earwitness.judges", card.adapter, task).load(
            task.source(card.source), revision=card.revision, device=device
        )
        for card in task.card.judges
        if card.name in names
    }


def adapter(package: str, name: str, task: Task) -> Any:
    """The module of a package that a card names; raises InvalidCardError where there is none."""
    try:
        return import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{name}":
            raise
        raise InvalidCardError(f"{task.folder / 'task.toml'}: {package} has no adapter {name!r}") from error
