"""The task card: what a task bundles, read from `task.toml`, and the hash that is its identity."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from earwitness import metrics, tracks
from earwitness.errors import EarwitnessError, InvalidCardError


class Card(BaseModel):
    """A part of a card: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelCard(Card):
    """Which model is explained."""

    adapter: str
    """File of `earwitness.models`: musicgen."""
    source: str
    """Hub id, or a folder relative to the card."""
    revision: str = "main"
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Passed to the adapter's `from_pretrained`."""


class DatasetCard(Card):
    """Which items are explained."""

    adapter: str
    """File of `earwitness.datasets`, or of `earwitness.worlds`: soundscape."""
    source: str = ""
    """Hub id or folder; empty for a made world. A folder is relative to the working directory."""
    split: str = "test"
    items: int = Field(gt=0)
    seed: int = 0
    revision: str = "1"
    parameters: dict[str, Any] = Field(default_factory=dict)


class JudgeCard(Card):
    """A classifier that listens; the first of a card is the task's judge, the others show whether ranks survive."""

    name: str
    adapter: str
    """File of `earwitness.judges`."""
    source: str
    revision: str = "main"


class MetricCard(Card):
    """One metric with its parameters; `id` names it in rows."""

    metric: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    headline: bool = False
    """Whether the metric enters the rank of the task."""

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return metrics.get(name).name
        except EarwitnessError as error:
            raise ValueError(str(error)) from error

    @property
    def id(self) -> str:
        """Name with the parameters' values in the card's order.

        >>> MetricCard(metric="fid_f", parameters={"mask": "top30", "removal": "null"}).id
        'fid_f@top30+null'
        """
        values = [str(value) for value in self.parameters.values()]
        return self.metric + (f"@{'+'.join(values)}" if values else "")


class BudgetCard(Card):
    """What one explanation may cost; an explainer over it is timed out."""

    seconds: float = Field(gt=0)
    """CPU seconds an item."""
    forwards: int = Field(gt=0)
    """Forward equivalents an item, in sequences: a backward counts two."""


class TaskCard(Card):
    """A versioned bundle of track, model, dataset, metrics and budget."""

    id: str = Field(pattern=r"^[a-z_][a-z0-9_]*$")
    version: int = Field(ge=1)
    track: str
    title: str
    licence: str
    reference: str
    model: ModelCard
    dataset: DatasetCard
    judges: tuple[JudgeCard, ...] = ()
    generation_seeds: tuple[int, ...] = (0,)
    """Seeds under which perturbed sounds are generated: the sampled repeats of the metrics."""
    metrics: tuple[MetricCard, ...] = Field(min_length=1)
    main_metric: str
    """Id of the metric the task is listed under."""
    budget: BudgetCard
    superseded_by: str = ""

    @field_validator("track")
    @classmethod
    def _known_track(cls, name: str) -> str:
        if name not in tracks.names():
            raise ValueError(f"no track is called {name!r}; tracks: {', '.join(tracks.names())}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> TaskCard:
        ids = [metric.id for metric in self.metrics]
        doubles = sorted({i for i in ids if ids.count(i) > 1})
        if doubles:
            raise ValueError(f"metrics listed twice: {', '.join(doubles)}")
        if self.main_metric not in ids:
            raise ValueError(f"main_metric {self.main_metric!r} is not among the metrics")
        return self


class Task:
    """A task card with the folder it was read from."""

    def __init__(self, card: TaskCard, folder: Path) -> None:
        self.card = card
        self.folder = folder

    def __repr__(self) -> str:
        return f"Task({self.card.id!r}, version={self.card.version})"

    @property
    def id(self) -> str:
        """Identifier of the task."""
        return self.card.id

    @property
    def hash(self) -> str:
        """Identity of the task: SHA-256 over the card and the task's data files (weights, truth), 16 hex digits."""
        digest = hashlib.sha256(json.dumps(self.card.model_dump(mode="json"), sort_keys=True).encode())
        for path in self.data_files():
            digest.update(path.relative_to(self.folder).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        for source in self._shared_sources():
            for path in _files(self.folder / source):
                digest.update(f"{source}/{path.relative_to(self.folder / source).as_posix()}".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    @property
    def seed_key(self) -> str:
        """What seeds are derived from: id and version, since the truth stored with the task was computed under them."""
        return f"{self.card.id}@{self.card.version}"

    def data_files(self) -> list[Path]:
        """Files that a score depends on: everything in the folder but the card and its page for people."""
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.is_file()
            and path.parent != self.folder
            and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        )

    def _shared_sources(self) -> list[str]:
        """Sources that are folders of another task: what they hold is part of this task, too."""
        card = self.card
        named = {card.model.source, card.dataset.source, *(judge.source for judge in card.judges)}
        own = self.folder.resolve()
        folders = [source for source in named if source.startswith("..") and (self.folder / source).is_dir()]
        return sorted(source for source in folders if not (self.folder / source).resolve().is_relative_to(own))

    def source(self, source: str) -> str:
        """A card's source as a path where it names a folder of the task, else as the hub id it is."""
        folder = self.folder / source
        return str(folder) if folder.is_dir() else source


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_task(folder: Path) -> Task:
    """Read `task.toml` in a folder.

    Raises InvalidCardError, in one line that names the file, the key and what is wrong with it.
    """
    path = folder / "task.toml"
    card: TaskCard = read_card(path, TaskCard)
    return Task(card, folder)


def read_card(path: Path, schema: type[Card]) -> Any:
    """A validated card of the given schema; raises InvalidCardError."""
    try:
        return schema.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidCardError(f"{path}: no card that can be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidCardError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise InvalidCardError(f"{path}: {'; '.join(_complaint(e) for e in error.errors())}") from error


def _complaint(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "card"
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"
