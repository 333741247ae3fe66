"""The submission card, and the explainer that it names."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from earwitness import plugins, tracks
from earwitness.closure import code_hash, is_there
from earwitness.errors import EarwitnessError, InvalidCardError, is_blank, shortened
from earwitness.handed_in import HandedIn
from earwitness.identity import digest, files_of, of_files
from earwitness.parameters import ParameterError, checked
from earwitness.task import Card, Id, Name, Parameters, Text, read_card

CARD = "submission.toml"


class Paper(Card):
    """Where the method is published."""

    title: Text
    url: Annotated[Name, Field(pattern=r"^(https?://\S+)?$")] = ""
    reported: dict[Text, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """Figures the paper reports, shown as reported, not reproduced."""


class BudgetCurve(Card):
    """Budgets that an explainer is run at, to see what each is worth."""

    parameter: str = Field(pattern=r"^[A-Za-z_]\w*$", max_length=80)
    """The parameter that is its budget (masks, epochs, steps); a greater value costs more."""
    values: tuple[Annotated[int, Field(ge=1, le=10**9)], ...] = Field(min_length=4, max_length=20)
    """Ascending, the card's own among them."""
    along: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Parameters that grow with it, as shares of it: whole numbers, and never less than 1."""

    @field_validator("values")
    @classmethod
    def _ascending(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError(f"must ascend; found {list(values)}")
        return values

    def at(self, value: int) -> dict[str, int]:
        """The parameters that make a budget."""
        return {self.parameter: value, **{name: max(1, round(share * value)) for name, share in self.along.items()}}


class ExplainerCard(Card):
    """The explainer of one track."""

    explainer: str = Field(pattern=r"^([A-Za-z_]\w*(\.\w+)*:)?[A-Za-z_]\w*$", max_length=200)
    """Class in the file, or `package.module:Class` of an installed package."""
    file: str = Field(pattern=r"^[a-z_]\w*\.py$", max_length=200, default="explainer.py")
    parameters: Parameters = Field(default_factory=dict)
    curve: BudgetCurve | None = None
    """Text for people, as far as identity goes."""

    @model_validator(mode="after")
    def _on_its_curve(self) -> Self:
        if self.curve is None:
            return self
        own = self.parameters.get(self.curve.parameter)
        if own not in self.curve.values:
            raise ValueError(
                f"curve: the card's own {self.curve.parameter}, {shortened(str(own))}, is none of its values "
                f"{list(self.curve.values)}"
            )
        for name, value in self.curve.at(int(str(own))).items():
            if self.parameters.get(name) != value:
                found = shortened(str(self.parameters.get(name)))
                raise ValueError(
                    f"curve: along with {own} {self.curve.parameter} go {value} {name}; the card has {found}"
                )
        return self

    @property
    def budget(self) -> int | None:
        """Its own place on its curve; None where it has none."""
        return None if self.curve is None else int(str(self.parameters[self.curve.parameter]))

    def at(self, value: int) -> ExplainerCard:
        """The explainer at another budget; raises ValueError where it has no curve."""
        if self.curve is None:
            raise ValueError("the card has no curve")
        return self.model_copy(update={"parameters": {**self.parameters, **self.curve.at(value)}, "curve": None})


class SubmissionCard(Card):
    """An explainer with its authors, paper, licence and parameters.

    A method of one track gives `track`, `explainer` and `parameters`, and its code stands in `explainer.py`; a method
    of several tracks has a table `[explainers.<track>]` for each instead. Explanations that were made elsewhere come
    without an explainer: `explanations` names their tracks.
    """

    id: Id
    version: int = Field(ge=1, le=10**6, default=1)
    title: Text
    authors: tuple[Text, ...]
    licence: Name
    kind: str = Field(default="entrant", pattern="^(baseline|control|entrant)$")
    """A control ignores the model; an entrant that does not beat it has shown nothing."""
    stochastic: bool | None = None
    """Whether explanations hang on the explainer seed; where they do not, one seed stands for all. None: not said."""
    explainers: dict[str, ExplainerCard] = Field(default_factory=dict)
    """By track; none where explanations are handed in."""
    explanations: tuple[str, ...] = ()
    """Tracks whose explanations were made elsewhere and lie in the folder `explanations`: no code is run."""
    method: str = Field(pattern=r"^([0-9a-f]{64})?$", default="")
    """SHA-256 of an archive of what made them: published before fresh items are drawn, it binds its authors to it."""
    paper: Paper | None = None

    @field_validator("explainers", "explanations")
    @classmethod
    def _known_tracks(cls, named: Any) -> Any:
        for name in named:
            if name not in tracks.names():
                raise ValueError(f"no track is called {shortened(name)!r}; tracks: {', '.join(tracks.names())}")
        if len(set(named)) < len(named):
            raise ValueError("a track is named twice")
        return named

    @model_validator(mode="after")
    def _explained_one_way(self) -> Self:
        if bool(self.explainers) == bool(self.explanations):
            raise ValueError("a submission names explainers, or tracks of explanations that it hands in: one of both")
        if self.explanations and is_blank(self.licence):
            raise ValueError("licence is empty; say under which one the explanations may be shown, CC-BY-4.0, say")
        if self.method and not self.explanations:
            raise ValueError("method is for explanations that are handed in: the code of an explainer tells its own")
        return self

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that it explains."""
        return self.explanations or tuple(self.explainers)


AT = "_at_"
"""Between a submission's id and a budget, in the id that it has there."""


@dataclass(frozen=True)
class Budget:
    """Which submission another is, at which budget."""

    of: str
    """Its id."""
    value: int


class Submission:
    """A submission card with the folder it was read from."""

    source = ""
    """Address on the hub that the folder was fetched from, a stranger's; empty of one that lies here."""

    def __init__(self, card: SubmissionCard, folder: Path, budget: Budget | None = None) -> None:
        self.card = card
        self.folder = folder
        self.budget = budget
        """None of a submission as it is handed in."""

    def __repr__(self) -> str:
        return f"Submission({self.card.id!r}, version={self.card.version})"

    @property
    def id(self) -> str:
        """Identifier of the submission."""
        return self.card.id

    @cached_property
    def handed_in(self) -> HandedIn | None:
        """The explanations that it hands in, None of an explainer; raises InvalidCardError without a manifest."""
        return HandedIn(self.folder) if self.card.explanations else None

    def hash_for(self, track: str) -> str:
        """Identity of the submission on a track: what its card says of the explainer there, its code with what that
        imports, and its other files, 16 hex digits; of explanations that are handed in, their manifest and their files.

        Texts for people (the title, say, or the page) and the explainers of other tracks are no part of it. Raises
        InvalidCardError where files are missing that a manifest names.
        """
        if self.handed_in is not None:
            made_of = [sorted(self.card.explanations), self.card.method, self.handed_in.digest]
            return digest({"explanations": made_of})
        card = self.card.explainers.get(track)
        others = {other.file for name, other in self.card.explainers.items() if name != track}
        others -= {card.file} if card else set()
        left = {self.folder / name for name in (CARD, *others)}
        files = [path for path in files_of(self.folder) if path.suffix != ".md" and path not in left]
        code = [path for path in files if path.suffix == ".py"]
        named = card.explainer.partition(":")[0] if card and ":" in card.explainer else ""
        installed = [named] if named and is_there(named) else []
        return digest(
            {
                "explainer": card.model_dump(mode="json", exclude={"curve"}) if card else None,
                "files": of_files(self.folder, [path for path in files if path not in code]),
                # The tracks' own files are in the identity of what is explained.
                "code": code_hash(
                    [*((path.relative_to(self.folder).as_posix(), path) for path in code), *installed],
                    without=("earwitness.tracks",),
                ),
            }
        )

    def at(self, value: int) -> Submission:
        """The submission at another budget, under an id that says so: of each of its explainers that has a curve.

        Raises InvalidCardError where none has one, or the value is no budget.
        """
        path = self.folder / CARD
        of_curves = {track: card for track, card in self.card.explainers.items() if card.curve is not None}
        if self.budget is not None or not of_curves:
            raise InvalidCardError(f"{path}: no curve says what a budget of {self.id} is; add a table [curve]")
        if value < 1:
            raise InvalidCardError(f"{path}: {value} is no budget; it is a whole number of at least 1")
        names = sorted({card.curve.parameter for card in of_curves.values() if card.curve is not None})
        update = {
            "id": f"{self.id}{AT}{value}",
            "title": f"{self.card.title}, at {value:,} {' or '.join(names)}",
            "explainers": {track: card.at(value) for track, card in of_curves.items()},
        }
        return Submission(self.card.model_copy(update=update), self.folder, Budget(self.id, value))

    @property
    def hashes(self) -> dict[str, str]:
        """Identity on each of its tracks."""
        return {track: self.hash_for(track) for track in self.card.tracks}


def read_submission(folder: Path) -> Submission:
    """Read `submission.toml` in a folder; raises InvalidCardError."""
    card: SubmissionCard = read_card(folder / CARD, SubmissionCard, by_track)
    return Submission(card, folder)


def by_track(card: dict[str, Any]) -> dict[str, Any]:
    """A card with its explainers by track, where it is of one track; raises ValueError where it names none."""
    if "explainers" in card or "explanations" in card:
        return card
    missing = " and ".join(key for key in ("track", "explainer") if not isinstance(card.get(key), str))
    if missing:
        raise ValueError(f"no {missing}: a method of one track names both, another has [explainers.<track>] tables")
    own = {key: card[key] for key in ("explainer", "parameters", "curve") if key in card}
    rest = {key: value for key, value in card.items() if key not in {*own, "track"}}
    return {**rest, "explainers": {card["track"]: own}}


def load_explainer(submission: Submission, track: str) -> Any:
    """Import the submission's file for a track and build its explainer with the card's parameters.

    Runs the submission's code: call it in a box only. Raises InvalidCardError where the file, the class or a parameter
    is missing or not of the track's kind, or there is no code.
    """
    if submission.card.explanations:
        raise InvalidCardError(
            f"{submission.folder / CARD}: its explanations were made elsewhere, and no code comes with them that could "
            "be run; score them with `earwitness run`"
        )
    if submission.source:
        raise InvalidCardError(f"{submission.source}: a stranger's code is run in a box alone; use `earwitness run`")
    if track not in submission.card.explainers:
        raise InvalidCardError(f"{submission.folder / CARD}: no explainer of the track {track}")
    card = submission.card.explainers[track]
    if ":" in card.explainer:
        return _built(submission, track, _installed(submission, card.explainer))
    path = submission.folder / card.file
    if not path.is_file():
        raise InvalidCardError(f"{path}: no such file")
    name = f"earwitness_submission_{submission.id}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return _built(submission, track, getattr(module, card.explainer, None), str(path))


def _installed(submission: Submission, name: str) -> Any:
    try:
        return plugins.named(name)
    except EarwitnessError as error:
        raise InvalidCardError(f"{submission.folder / CARD}: explainer {error}") from error


def _built(submission: Submission, track: str, explainer: Any, where: str = "") -> Any:
    """The explainer of a class with the card's parameters; raises InvalidCardError where it is none, or takes none."""
    card, base = submission.card.explainers[track], tracks.load(track).explainer
    if not (isinstance(explainer, type) and issubclass(explainer, base)):
        place = where or str(submission.folder / CARD)
        raise InvalidCardError(f"{place}: no class {card.explainer} that subclasses {base.__name__}")
    try:
        return explainer(**checked(explainer, card.parameters))
    except ParameterError as error:
        raise InvalidCardError(f"{submission.folder / CARD}: explainer of the track {track}: {error}") from error
