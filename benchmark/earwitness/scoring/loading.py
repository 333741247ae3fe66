"""What a task card names, loaded: the records of its dataset, its model, its judges. The same for every track."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from earwitness import plugins
from earwitness.errors import EarwitnessError, InvalidCardError, ModelError
from earwitness.parameters import ParameterError, checked
from earwitness.task import CARD

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from earwitness.judges import Judge
    from earwitness.plugins import Adapter
    from earwitness.scoring import Setting
    from earwitness.task import Task

GIVEN = ("source", "split", "items", "seed", "revision", "device")
"""What adapters take that is no parameter of a card."""


def load_records(setting: Setting) -> list[Any]:
    """Records of the task's dataset, of a fresh draw where the setting asks for one.

    Raises EarwitnessError where the dataset cannot be read, repeats an id, or is no world that draws afresh.
    """
    card = setting.task.card.dataset
    dataset = adapter("datasets", card.adapter, setting.task)
    load, source = dataset.entry, setting.task.source(card.source) if card.source else ""
    if setting.fresh is not None:
        if not dataset.says("MADE"):
            raise EarwitnessError(f"task {setting.task.id}: --fresh draws from a made world, and {card.source} is none")
        source = ""
    revision = {"revision": card.revision} if "revision" in inspect.signature(load).parameters else {}
    seed = card.seed if setting.fresh is None else setting.fresh
    parameters = dataset_parameters(setting.task)
    found = list(load(source, split=card.split, items=card.items, seed=seed, **revision, **parameters))
    doubles = sorted(item for item, count in Counter(record.id for record in found).items() if count > 1)
    if doubles:
        raise EarwitnessError(f"task {setting.task.id}: items with the same id: {', '.join(doubles[:5])}")
    return found


def check_parameters(task: Task) -> None:
    """Raise InvalidCardError, in one line that names card and key, unless model and dataset take the card's parameters.

    Nothing is read but the adapters' own files.
    """
    model_parameters(task)
    dataset_parameters(task)


def dataset_parameters(task: Task) -> dict[str, Any]:
    """The dataset's parameters as its adapter takes them; raises InvalidCardError as `check_parameters`."""
    card, at = task.card.dataset, f"{task.folder / CARD}: dataset"
    dataset = adapter("datasets", card.adapter, task)
    version = dataset.says("VERSION")
    if card.version and version is None:
        raise InvalidCardError(f"{at}.version: {card.adapter} is no made world, and they alone have one; take it out")
    if card.version and card.version != str(version):
        raise InvalidCardError(f"{at}.version: the world {card.adapter} is of version {version}, not {card.version!r}")
    if card.revision != "main" and "revision" not in inspect.signature(dataset.entry).parameters:
        raise InvalidCardError(f"{at}.revision: {card.adapter} is not read from the hub; take it out")
    return _fitted(f"{at}.parameters", dataset.entry, card.parameters)


def model_parameters(task: Task) -> dict[str, Any]:
    """The model's parameters as its adapter takes them; raises InvalidCardError as `check_parameters`."""
    card = task.card.model
    found = adapter("models", card.adapter, task)
    return _fitted(f"{task.folder / CARD}: model.parameters", found.entry, card.parameters)


def _fitted(at: str, function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return checked(function, values, excluded=GIVEN)
    except ParameterError as error:
        raise InvalidCardError(f"{at}.{error.key} {error.problem}") from error


def load_model(task: Task, device: str) -> Any:
    """A task's model, behind its track's interface.

    Raises ModelError where it cannot be read, or is a loaded one that lies on another device.
    """
    card = task.card.model
    if task.own_model is not None and task.own_model.loaded is not None:
        loaded = task.own_model.loaded
        if torch.device(loaded.device).type != torch.device(device).type:
            raise ModelError(
                f"the model lies on {loaded.device} and scoring runs on {device}; move it, or ask for device"
            )
        return loaded
    found = adapter("models", card.adapter, task)
    parameters = model_parameters(task)
    return found.entry(task.source(card.source), revision=card.revision, device=device, **parameters)


def load_judges(task: Task, names: Collection[str], device: str) -> dict[str, Judge]:
    """The judges of these names, by name; raises ModelError where one cannot be read."""
    return {
        card.name: adapter("judges", card.adapter, task).entry(
            task.source(card.source), revision=card.revision, device=device
        )
        for card in task.card.judges
        if card.name in names
    }


def adapter(kind: str, name: str, task: Task) -> Adapter:
    """The adapter of a kind that a card names; raises InvalidCardError where there is none that can be used."""
    try:
        return plugins.adapter(kind, name)
    except EarwitnessError as error:
        raise InvalidCardError(f"{task.folder / CARD}: {error}") from error
