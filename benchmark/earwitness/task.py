"""The task card: what a task bundles, read from `task.toml`, and the hash that is its identity."""

from __future__ import annotations

import json
import keyword
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from earwitness import metrics, plugins, tracks
from earwitness.closure import code_hash, is_there
from earwitness.errors import EarwitnessError, InvalidCardError, is_blank, short, shortened, steers
from earwitness.identity import digest, files_of, of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CARD = "task.toml"
LARGEST_CARD = 50_000
"""Bytes of a card."""
MOST_FILES = 10_000
"""Files of a folder with weights that is named by a card."""
COMPLAINTS = 3
"""Faults of a card that one line tells of."""
ID = r"[a-z_][a-z0-9_]*"
"""What a card may be called: names of runs, of folders and of files are made of it."""
LONGEST_ID = 80


def _readable(text: str) -> str:
    """The text; raises ValueError where it holds what cannot be seen and changes how a page shows the rest."""
    for letter in text:
        if steers(letter):
            raise ValueError(f"holds the control character U+{ord(letter):04X}; take it out")
    return text


def _visible(text: str) -> str:
    """The text; raises ValueError where nothing of it can be seen."""
    if is_blank(text):
        raise ValueError("holds nothing that can be seen; write it out")
    return text


def _with_hint(name: Any) -> Any:
    """The name; raises ValueError, with one that it could be, where hyphens or capitals alone keep it from an id."""
    near = name.replace("-", "_").lower() if isinstance(name, str) else name
    if near != name and re.fullmatch(ID, near) and len(near) <= LONGEST_ID:
        raise ValueError(f"{name!r} is no id, which is of a-z, 0-9 and _; call it {near!r}")
    return name


def _no_keyword(name: str) -> str:
    """The name; raises ValueError where Python takes it for a word of its own."""
    if keyword.iskeyword(name):
        raise ValueError(f"{name!r} is a keyword of Python; choose another name")
    return name


Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_readable), AfterValidator(_visible)]
"""A line for people."""
Name = Annotated[str, Field(max_length=200), AfterValidator(_readable)]
"""A source, a revision, a split: may be empty."""
Id = Annotated[
    str, BeforeValidator(_with_hint), Field(max_length=LONGEST_ID, pattern=f"^{ID}$"), AfterValidator(_no_keyword)
]
_AdapterName = Annotated[str, Field(max_length=200, pattern=rf"^({ID}|[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*(\.\w+)*)$")]
AdapterName = Annotated[_AdapterName, AfterValidator(_no_keyword)]
"""An id, or `package.module:factory`."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Source = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable), AfterValidator(_visible)]
Parameters = dict[Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_readable)], JsonValue]
"""Checked against what takes them when it is found."""


class Card(BaseModel):
    """A part of a card: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelCard(Card):
    """Which model is explained."""

    adapter: AdapterName
    """File of `earwitness.models` (musicgen), entry point of that group, or `package.module:factory`."""
    source: Source
    """Hub id, or a folder relative to the card."""
    revision: Name = "main"
    """Of the hub."""
    parameters: Parameters = Field(default_factory=dict)
    """Passed to the adapter's `from_pretrained`."""


class DatasetCard(Card):
    """Which items are explained."""

    adapter: AdapterName
    """File of `earwitness.datasets` (scenes), entry point of that group, or `package.module:factory`."""
    source: Name = ""
    """Hub id or folder; empty for a made world. A folder is relative to the working directory."""
    split: Name = "test"
    items: int = Field(gt=0, le=10_000)
    seed: Seed = 0
    revision: Name = "main"
    """Of the hub, where the dataset is read from there."""
    version: Name = ""
    """Of a made world; empty takes the one that there is."""
    parameters: Parameters = Field(default_factory=dict)
    identity: Name = ""
    """What seeds derive from, beside the item and the two seed numbers. The default names what the other keys do."""


class JudgeCard(Card):
    """A classifier that listens; the first of a card is the task's judge, the others show whether ranks survive."""

    name: Id
    adapter: AdapterName
    """File of `earwitness.judges`, entry point of that group, or `package.module:factory`."""
    source: Source
    revision: Name = "main"


class MetricCard(Card):
    """One metric with its parameters; `id` names it in rows."""

    metric: str
    """Name, or `package.module:function`."""
    parameters: dict[str, Name | int | float | bool] = Field(default_factory=dict)
    headline: bool = False
    """Whether the metric enters the rank of the task."""

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            metrics.get(name)
        except EarwitnessError as error:
            raise ValueError(str(error)) from error
        return name

    @property
    def id(self) -> str:
        """Name with the values of the parameters that are given, in the declared order.

        >>> MetricCard(metric="fid_f", parameters={"removal": "null", "mask": "top30"}).id
        'fid_f@top30+null'
        """
        return metrics.get(self.metric).id(self.parameters)


class BudgetCard(Card):
    """What one explanation may cost; an explainer over it is timed out."""

    seconds: float = Field(gt=0, le=1e6)
    """CPU seconds an item."""
    forwards: int = Field(gt=0, le=10**9)
    """Forward equivalents an item, in sequences: a backward counts two."""


class NeedsCard(Card):
    """What running a task takes, for people: no identity holds it."""

    parameters: int | None = Field(gt=0, le=10**13, default=None)
    """Of the model."""
    hours: float | None = Field(gt=0, le=1e6, default=None)
    """A run of one cheap submission took."""
    measured: Name = ""
    """Where the hours were measured: the machine, the submission, the items."""

    @model_validator(mode="after")
    def _both(self) -> NeedsCard:
        if (self.hours is None) != is_blank(self.measured):
            raise ValueError("hours and measured stand together: a figure, and on which machine it was measured")
        return self


class TaskCard(Card):
    """A versioned bundle of track, model, dataset, metrics and budget."""

    id: Id
    version: int = Field(ge=1, le=10**6)
    track: str
    title: Text
    licence: Text
    reference: Text
    model: ModelCard
    dataset: DatasetCard
    judges: tuple[JudgeCard, ...] = ()
    generation_seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1, max_length=1000)
    """Seeds under which perturbed sounds are generated: the sampled repeats of the metrics."""
    scoring: Parameters = Field(default_factory=dict)
    """How the track compares what it compares, where it leaves a choice: how transcripts are normalised."""
    metrics: tuple[MetricCard, ...] = Field(min_length=1)
    main_metric: str
    """Id of the metric the task is listed under."""
    budget: BudgetCard
    needs: NeedsCard = NeedsCard()
    superseded_by: str = Field(max_length=LONGEST_ID, pattern=f"^({ID})?$", default="")

    @field_validator("track")
    @classmethod
    def _known_track(cls, name: str) -> str:
        if name not in tracks.names():
            raise ValueError(f"no track is called {shortened(name)!r}; tracks: {', '.join(tracks.names())}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> TaskCard:
        ids = [metric.id for metric in self.metrics]
        for what, names in (
            ("metrics", ids),
            ("judges", [judge.name for judge in self.judges]),
            ("generation_seeds", [str(seed) for seed in self.generation_seeds]),
        ):
            doubles = [name for name, count in Counter(names).items() if count > 1]
            if doubles:
                raise ValueError(f"{what} listed twice: {', '.join(doubles)}")
        if self.main_metric not in ids:
            raise ValueError(f"main_metric {self.main_metric!r} is not among the metrics")
        return self


@dataclass(frozen=True)
class OwnModel:
    """A model in place of the card's: what it is called, and what identities say of it."""

    name: str
    """Shown to people."""
    identity: str
    loaded: Any = None
    """An object that fulfils the track's interface; None where the model is read from its folder or from the hub."""


class Task:
    """A task card with the folder it was read from, or a variant of it with one's own model."""

    def __init__(
        self, card: TaskCard, folder: Path, copies: Mapping[str, str] | None = None, model: OwnModel | None = None
    ) -> None:
        """`copies` are folders by the source that each is a copy of; `model` takes the place of the card's."""
        self.card = card
        self.folder = folder
        self.copies = dict(copies or {})
        self.own_model = model

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
        model = card.model.model_dump(mode="json")
        own = {} if self.own_model is None else {"own": self.own_model.identity}
        return digest(
            {
                "track": card.track,
                "model": {**model, "source": self.named(card.model.source), **own},
                "dataset": {**self._dataset(), "source": self._dataset_name(), "identity": self.seed_key},
                "seed": card.generation_seeds[0],
                "budget": card.budget.model_dump(mode="json"),
            }
        )

    @property
    def code_hash(self) -> str:
        """Hash of the code that makes items of the dataset and runs the model: all that they import."""
        card = self.card
        track = tracks.load(card.track)
        adapters = (
            plugins.module_of("models", card.model.adapter),
            plugins.module_of("datasets", card.dataset.adapter),
        )
        modules = [track.item.__module__, *adapters, f"{track.scoring}.originals"]
        return code_hash([module for module in modules if is_there(module)])

    @property
    def seed_key(self) -> str:
        """What seeds are derived from, beside the item and the seed numbers: the dataset's identity."""
        card = self.card.dataset
        if card.identity:
            return card.identity
        made_of = {name: value for name, value in self._dataset().items() if name not in ("identity", "items")}
        # Of a source its name alone: where a folder lies on a machine is nothing that sounds may hang on.
        return f"{card.adapter}-{digest({**made_of, 'source': Path(card.source).name})}"

    def _dataset(self) -> dict[str, Any]:
        """What the card says of the dataset, as identities hold it: they have one place for both kinds of versions."""
        card = self.card.dataset
        made_of = {**card.model_dump(mode="json", exclude={"version"}), "revision": card.version or "1"}
        return made_of if card.revision == "main" else {**made_of, "hub": card.revision}

    def data_files(self) -> list[Path]:
        """Files that belong to the task: everything in the folder but the card and its page for people."""
        return [path for path in files_of(self.folder) if path.parent != self.folder]

    def named(self, source: str) -> str:
        """A card's source as an identity names it: a folder by the hash of its files, a hub id as it is, a copy of one
        by both.

        Raises InvalidCardError where a folder has too many files to be one of a model.
        """
        folder = Path(self.copies[source]) if source in self.copies else self.folder / source
        if not source or not folder.is_dir():
            return source
        if next(islice(folder.rglob("*"), MOST_FILES, None), None) is not None:
            raise InvalidCardError(
                f"{self.folder / CARD}: source {source!r} is a folder of more than {MOST_FILES:,} files; name the "
                "folder of the model alone"
            )
        return f"files {of_files(folder)}" if source not in self.copies else f"{source} files {of_files(folder)}"

    def _dataset_name(self) -> str:
        """The dataset's source as an identity names it; of a large folder elsewhere its name alone."""
        source = self.card.dataset.source
        if source in self.copies:
            return source
        if not Path(source).is_absolute():
            return self.named(source)
        try:
            return self.named(source)
        except InvalidCardError:
            return Path(source).name

    def source(self, source: str) -> str:
        """A card's source as a path where it names a folder of the task or has a copy, else as the hub id it is."""
        if source in self.copies:
            return self.copies[source]
        folder = self.folder / source
        return str(folder) if folder.is_dir() else source

    @property
    def truth(self) -> Path | None:
        """Folder of the stored truth; None where it would be another model's."""
        return self.folder / "truth" if self.own_model is None else None

    @property
    def model_name(self) -> str:
        """What the model is called, for people: a hub id, the name of a folder, or the task's own."""
        if self.own_model is not None:
            return self.own_model.name
        source = self.card.model.source
        return f"{self.id}'s own" if (self.folder / source).is_dir() and source not in self.copies else source

    def with_copies(self, copies: Mapping[str, str]) -> Task:
        """The task with folders that are local copies, by hub id; of what it does not name nothing is taken.

        Raises EarwitnessError where one is no folder.
        """
        named = {self.card.model.source, self.card.dataset.source, *(judge.source for judge in self.card.judges)}
        for source, folder in copies.items():
            if not Path(folder).is_dir():
                raise EarwitnessError(f"copy of {source}: {folder} is no folder")
        return Task(
            self.card,
            self.folder,
            {**self.copies, **{source: str(Path(at).resolve()) for source, at in copies.items() if source in named}},
            self.own_model,
        )

    def with_model(self, source: str, revision: str = "main") -> Task:
        """A variant of the task with the model of a hub id or a folder; its rows meet none of the card's model.

        The task itself where it is the card's model. Truth that is stored with the task is that model's, and is not
        read. Raises EarwitnessError where a folder is none. `own_model.with_model` is what runs go through: it refuses
        a twin of anything else, too.
        """
        folder = Path(source).expanduser()
        if source == self.card.model.source and revision == self.card.model.revision:
            return self
        if folder.is_dir():
            name, identity = folder.resolve().name, f"files {of_files(folder)}"
            if identity == self.named(self.card.model.source):
                return self
            copies = {**self.copies, name: str(folder.resolve())}
        elif source.startswith((".", "/", "~")) or source.count("/") > 1:
            raise EarwitnessError(f"model {source!r}: no such folder, and no id of the hub")
        else:
            name, identity, copies = source, source, self.copies
        model = self.card.model.model_copy(update={"source": name, "revision": revision})
        return Task(self.card.model_copy(update={"model": model}), self.folder, copies, OwnModel(name, identity))

    def with_loaded_model(self, model: Any, name: str, identity: str) -> Task:
        """A variant of the task with a model in memory that fulfils the track's interface."""
        return Task(self.card, self.folder, self.copies, OwnModel(name, identity, model))


def read_task(folder: Path) -> Task:
    """Read `task.toml` in a folder.

    Raises InvalidCardError, in one line that names the file, the key and what is wrong with it.
    """
    card: TaskCard = read_card(folder / CARD, TaskCard)
    return Task(card, folder)


def read_card(path: Path, schema: type[Card], whole: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> Any:
    """A validated card of a schema, strictly: text is no number, nor is true; raises InvalidCardError, in one line.

    `whole` writes out what a card may abbreviate, and raises ValueError where it cannot.
    """
    content = _parsed(path)
    try:
        # As JSON, since a card's lists stand for tuples.
        return schema.model_validate_json(json.dumps(whole(content)), strict=True)
    except ValidationError as error:
        raise InvalidCardError(f"{path}: {_complaints(error)}") from error
    except TypeError as error:
        raise InvalidCardError(f"{path}: holds a date or a time; write it as text") from error
    except RecursionError as error:
        raise InvalidCardError(f"{path}: not valid TOML: nested too deep") from error
    except ValueError as error:
        raise InvalidCardError(f"{path}: {short(str(error))}") from error


def _parsed(path: Path) -> dict[str, Any]:
    """A TOML file's table; raises InvalidCardError, in one line."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_CARD + 1)
        if len(content) > LARGEST_CARD:
            raise InvalidCardError(f"{path}: larger than {LARGEST_CARD:,} bytes, which is no card")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise InvalidCardError(f"{path}: no card that can be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidCardError(f"{path}: not valid TOML: line {line} is not UTF-8") from error
    except RecursionError as error:
        raise InvalidCardError(f"{path}: not valid TOML: nested too deep") from error
    except ValueError as error:
        said = short(str(error))
        said = "a number of too many digits" if said.startswith("Exceeds the limit") else said
        raise InvalidCardError(f"{path}: not valid TOML: {said}") from error


def _complaints(error: ValidationError) -> str:
    """What is wrong with a card, in one line: its first faults, and how many more there are."""
    errors = error.errors(include_url=False)
    # What is wrong inside a list makes the list too short as well.
    inner = {each["loc"][:end] for each in errors for end in range(len(each["loc"]))}
    found = list(dict.fromkeys(_complaint(each) for each in errors if not (each["loc"] and each["loc"] in inner)))
    more = len(found) - COMPLAINTS
    return "; ".join(found[:COMPLAINTS]) + (f"; and {more} more" if more > 0 else "")


def _complaint(error: Any) -> str:
    where = short(".".join(str(part) for part in error["loc"])) or "card"
    if error["type"] == "json_invalid":
        return "not valid TOML: nested too deep"
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}"
    return f"{where}: {short(error['msg'].removeprefix('Value error, '))}"
