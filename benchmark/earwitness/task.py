"""The task card: what a task bundles, read from `task.toml`, and the hash that is its identity."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from earwitness import metrics, tracks
from earwitness.closure import code_hash, locate
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.identity import digest, files_of, of_files


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
    identity: str = ""
    """What seeds derive from, beside the item and the two seed numbers. The default names what the other keys do."""


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
        """Identity of what is explained, submission and seeds apart: data and code, 16 hex digits."""
        return digest([self.data_hash, self.code_hash])

    @property
    def data_hash(self) -> str:
        """Hash of what the card says is explained: track, model with its weights, dataset, seed and budget."""
        card = self.card
        model, dataset = card.model.model_dump(mode="json"), card.dataset.model_dump(mode="json")
        return digest(
            {
                "track": card.track,
                "model": {**model, "source": self.named(card.model.source)},
                "dataset": {**dataset, "source": self.named(card.dataset.source), "identity": self.seed_key},
                "seed": card.generation_seeds[0],
                "budget": card.budget.model_dump(mode="json"),
            }
        )

    @property
    def code_hash(self) -> str:
        """Hash of the code that makes items of the dataset and runs the model: all that they import."""
        card = self.card
        roots = (f"tracks.{card.track}", f"models.{card.model.adapter}", f"datasets.{card.dataset.adapter}")
        modules = [f"earwitness.{name}" for name in (*roots, f"scoring.{card.track}.originals")]
        return code_hash([module for module in modules if locate(module)])

    @property
    def seed_key(self) -> str:
        """What seeds are derived from, beside the item and the seed numbers: the dataset's identity."""
        card = self.card.dataset
        if card.identity:
            return card.identity
        made_of = card.model_dump(mode="json", exclude={"identity", "items"})
        # Of a source its name alone: where a folder lies on a machine is nothing that sounds may hang on.
        return f"{card.adapter}-{digest({**made_of, 'source': Path(card.source).name})}"

    def data_files(self) -> list[Path]:
        """Files that belong to the task: everything in the folder but the card and its page for people."""
        return [path for path in files_of(self.folder) if path.parent != self.folder]

    def named(self, source: str) -> str:
        """A card's source as an identity names it: a folder of the task by the hash of its files, a hub id as it is."""
        folder = self.folder / source
        return f"files {of_files(folder)}" if source and folder.is_dir() else source

    def source(self, source: str) -> str:
        """A card's source as a path where it names a folder of the task, else as the hub id it is."""
        folder = self.folder / source
        return str(folder) if folder.is_dir() else source


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
