"""Files in which an aligner left when words are said: which of them tell of an utterance, and what they tell.

Below a folder, in whatever folders: a TextGrid or a JSON file of an utterance's name each, as the Montreal Forced
Aligner writes them (`--output_format`), and CTM and JSON files of many utterances.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from earwitness.datasets import Stretch
from earwitness.datasets.folders import is_hidden
from earwitness.datasets.text_files import read_text
from earwitness.datasets.textgrids import read_textgrid
from earwitness.datasets.time_marks import read_ctm
from earwitness.errors import EarwitnessError, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

TEXTGRID, CTM, JSON = ".textgrid", ".ctm", ".json"
"""Ends of the files' names, in small letters or capitals."""
WORDS, PHONES = ("words", "word"), ("phones", "phone")
"""Names of tiers, alone or behind a speaker's and a dash."""

LATEST = 1e12
"""A number from which on it is no time, in whatever unit."""


class AlignedSpeech(NamedTuple):
    """What an aligner tells of an utterance, as written."""

    where: str
    """Its file, for messages."""
    words: list[Stretch]
    """In seconds, silences and all that is wrong with them among them."""
    phones: list[Stretch]
    """The same; empty where only words are told of."""


@dataclass
class AlignerFiles:
    """Where below a folder each utterance is told of."""

    root: Path
    _told: dict[str, list[tuple[Path, Callable[[], AlignedSpeech]]]] = field(default_factory=dict, init=False)

    def read(self, utterance: str) -> AlignedSpeech:
        """What is told of an utterance; raises EarwitnessError, in one line, where that is nothing, or no use."""
        places = self._told.get(utterance, [])
        if not places:
            raise EarwitnessError(
                f"{self.root}: no alignment of {shortened(utterance)!r}; {shortened(utterance)}.TextGrid, .json, or a "
                "CTM or JSON file that names it was expected; align it, or leave its row invalid"
            )
        if len(places) > 1:
            raise EarwitnessError(
                f"{places[0][0]} and {places[1][0]}: two alignments of {shortened(utterance)!r}; take one out"
            )
        return places[0][1]()

    def __contains__(self, utterance: str) -> bool:
        return utterance in self._told

    def add(self, utterance: str, path: Path, read: Callable[[], AlignedSpeech]) -> None:
        """Note that a file tells of an utterance, and how it is read."""
        self._told.setdefault(utterance, []).append((path, read))


def find(root: Path, utterances: Collection[str]) -> AlignerFiles:
    """Where a file, or the files below a folder, tell of utterances; what they tell of others is not looked at.

    Raises EarwitnessError, in one line that names the file, where one of many utterances cannot be read.
    """
    found = AlignerFiles(root)
    for path in _files(root):
        kind, own = path.suffix.lower(), path.stem in utterances
        if kind == TEXTGRID and own:
            found.add(path.stem, path, partial(_of_textgrid, path))
        elif kind == JSON and own and path != root:
            found.add(path.stem, path, partial(_of_json_file, path))
        elif kind == JSON:
            _note_json(found, path, utterances)
        elif kind == CTM:
            for name, told in read_ctm(path).items():
                if name in utterances:
                    found.add(name, path, partial(_of_ctm, f"{path}, {name}", told))
    return found


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in (TEXTGRID, CTM, JSON) and not is_hidden(path, root) and not path.is_dir():
            yield path


def _note_json(found: AlignerFiles, path: Path, utterances: Collection[str]) -> None:
    told = read_json(path)
    if not isinstance(told, dict):
        raise EarwitnessError(f"{path}: utterances by their ids were expected; found {_shown(told)}; write it again")
    for name in told.keys() & set(utterances):
        found.add(name, path, partial(_of_json, f"{path}, {name}", told[name]))


def _of_textgrid(path: Path) -> AlignedSpeech:
    return _of_tiers(str(path), [(tier.name, list(tier.intervals)) for tier in read_textgrid(path)])


def _of_ctm(where: str, told: list[Stretch] | str) -> AlignedSpeech:
    if isinstance(told, str):
        raise EarwitnessError(told)
    return AlignedSpeech(where, told, [])


def _of_json_file(path: Path) -> AlignedSpeech:
    return _of_json(str(path), read_json(path))


def _of_json(where: str, told: Any) -> AlignedSpeech:
    """What JSON tells of an utterance: `tiers`, or a list of words."""
    if isinstance(told, list):
        return AlignedSpeech(where, [_stretch(where, entry) for entry in told], [])
    tiers = told.get("tiers") if isinstance(told, dict) else None
    if not isinstance(tiers, dict):
        raise EarwitnessError(
            f"{where}: tiers, or a list of a word, its start and its end in seconds, was expected; found "
            f"{_shown(told)}; align it again"
        )
    return _of_tiers(where, [(name, _entries(where, name, tier)) for name, tier in tiers.items()])


def _entries(where: str, name: str, tier: Any) -> list[Stretch]:
    entries = tier.get("entries") if isinstance(tier, dict) else None
    if not isinstance(entries, list):
        raise EarwitnessError(f"{where}: tier {shortened(name)!r} has no list of entries; align it again")
    return [_stretch(where, entry) for entry in entries] if _is_tier(name, (*WORDS, *PHONES)) else []


def _stretch(where: str, entry: Any) -> Stretch:
    """A word with its times behind it, or a label with its times before it."""
    if isinstance(entry, list) and len(entry) == 3:
        text, times = (entry[0], entry[1:]) if isinstance(entry[0], str) else (entry[2], entry[:2])
        if isinstance(text, str) and all(type(time) in (int, float) and abs(time) < LATEST for time in times):
            return Stretch(text, float(times[0]), float(times[1]))
    raise EarwitnessError(
        f"{where}: a word, its start and its end in seconds were expected; found {_shown(entry)}; align it again"
    )


def _of_tiers(where: str, tiers: list[tuple[str, list[Stretch]]]) -> AlignedSpeech:
    words = _tier(where, tiers, WORDS)
    if words is None:
        names = ", ".join(repr(shortened(name)) for name, _ in tiers) or "none"
        raise EarwitnessError(f"{where}: no tier of words; one named 'words' was expected; found {names}")
    return AlignedSpeech(where, words, _tier(where, tiers, PHONES) or [])


def _tier(where: str, tiers: list[tuple[str, list[Stretch]]], names: tuple[str, ...]) -> list[Stretch] | None:
    """Intervals of the tier of one of these names; None where there is none."""
    found = [(name, intervals) for name, intervals in tiers if _is_tier(name, names)]
    if len(found) > 1:
        told = " and ".join(repr(shortened(name)) for name, _ in found)
        raise EarwitnessError(f"{where}: {len(found)} tiers of {names[0]}: {told}; keep that of the speaker")
    return found[0][1] if found else None


def _is_tier(name: str, names: tuple[str, ...]) -> bool:
    return name.rpartition(" - ")[2].strip().casefold() in names


def read_json(path: Path) -> Any:
    """What a JSON file in UTF-8 holds; raises EarwitnessError, naming file and line, where it is none.

    A key that is written twice is refused: of two utterances of one id one would be lost.
    """
    try:
        return json.loads(read_text(path, "align again"), object_pairs_hook=lambda pairs: _once(path, pairs))
    except json.JSONDecodeError as error:
        raise EarwitnessError(
            f"{path}, line {error.lineno}: not JSON, or cut off: {error.msg}; write it again"
        ) from error
    except (RecursionError, ValueError) as error:
        raise EarwitnessError(f"{path}: not JSON that is read here: nested too deep, or too long a number") from error


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EarwitnessError(f"{path}: {shortened(twice)!r} is written twice; take one out")
    return found


def _shown(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False))
