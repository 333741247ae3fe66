"""A submission: its card with the folder it was read from, its identity, and the explainer that it names."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from earwitness import plugins, tracks
from earwitness.closure import code_hash, is_there
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.handed_in import HandedIn
from earwitness.identity import digest, files_of, of_files
from earwitness.parameters import ParameterError, checked
from earwitness.submission_card import SubmissionCard, today, too_far
from earwitness.task import read_card

CARD = "submission.toml"
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
    """Read `submission.toml` in a folder; raises InvalidCardError, for a day too far ahead, too."""
    card: SubmissionCard = read_card(folder / CARD, SubmissionCard, by_track)
    wrong = too_far(card.anonymous_until, today()) if card.anonymous_until else ""
    if wrong:
        raise InvalidCardError(f"{folder / CARD}: {wrong}")
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
