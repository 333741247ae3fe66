"""Explanations that were made elsewhere, as a submission hands them in: a manifest, and files of arrays that it names.

No code comes with them and none is run: whatever lies in the folder is read as a stranger's bytes. What the manifest
says of its files must hold, or nothing is done; what a file holds is judged item by item, as an explainer's answer is.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from earwitness.errors import InvalidCardError, short, shortened, steers
from earwitness.identity import digest
from earwitness.task import Card, Id, Name, Text

CardT = TypeVar("CardT", bound=Card)
FOLDER = "explanations"
"""Of a submission that hands explanations in."""
MANIFEST = "manifest.json"
ENDING = ".safetensors"
LARGEST_MANIFEST = 16 << 20
"""Bytes of a manifest."""
LARGEST_FILE = 256 << 20
"""Bytes of the arrays of one item: as many as a box may answer at once."""


def _inside(name: str) -> str:
    """The name of a file below the folder; raises ValueError where it leads elsewhere, or may on some machine."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or any(steers(letter) for letter in name):
        raise ValueError(f"{shortened(name)!r} is no path below {FOLDER}/; write it as task/item{ENDING}")
    if not name.endswith(ENDING):
        raise ValueError(f"{shortened(name)!r} does not end in {ENDING}; store the arrays in that format")
    return name


class HandedItem(Card):
    """One item of a set: the file of its explanation, or why there is none."""

    id: Text
    """As `earwitness items` names it."""
    file: Annotated[str, Field(max_length=400), AfterValidator(_inside)] | None = None
    """Below the folder of the explanations."""
    sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$", default=None)
    """Of the file, where whoever made it wants transport to be checked."""
    failed: Name = ""
    """Why the method explained nothing here: the item is a failed one, which ranks at the floor."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (not self.failed.strip()):
            raise ValueError("an item has a file, or says in `failed` why it has none")
        return self


class HandedSet(Card):
    """Explanations of the first items of a task, all of them under one draw."""

    task: Id
    task_hash: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Identity of what was explained, as `earwitness items` says it: the items' data, the model, and their code."""
    seed: int = Field(ge=0, lt=2**63, default=0)
    """`--seed` that the items were made under."""
    fresh: str | None = Field(pattern=r"^[0-9a-f]{16}$", default=None)
    """`fresh_mark` of the draw; none for the card's items."""
    count: int = Field(ge=1, le=10_000)
    """The set explains the first so many items of the task, each of them that can be explained."""
    items: tuple[HandedItem, ...] = Field(min_length=1)

    @field_validator("items")
    @classmethod
    def _each_once(cls, items: tuple[HandedItem, ...]) -> tuple[HandedItem, ...]:
        twice = [item for item, count in Counter(item.id for item in items).items() if count > 1]
        if twice:
            raise ValueError(f"item {shortened(twice[0])!r} is listed twice; leave one of them out")
        return items

    @model_validator(mode="after")
    def _no_more_than_counted(self) -> Self:
        if len(self.items) > self.count:
            raise ValueError(
                f"{len(self.items)} items are listed of the first {self.count}; raise count, or take some out"
            )
        return self

    @property
    def draw(self) -> tuple[str, str, int, str | None]:
        """Which items they are, but for their number."""
        return self.task, self.task_hash, self.seed, self.fresh


class Manifest(Card):
    """What lies in the folder of a submission's explanations."""

    format: Literal[1]
    sets: tuple[HandedSet, ...] = Field(min_length=1)

    @field_validator("sets")
    @classmethod
    def _each_once(cls, sets: tuple[HandedSet, ...]) -> tuple[HandedSet, ...]:
        twice = [draw for draw, count in Counter(each.draw for each in sets).items() if count > 1]
        if twice:
            raise ValueError(f"two sets explain the same items of {twice[0][0]}; leave one of them out")
        return sets


def fresh_mark(seed: int | None) -> str | None:
    """What a set says of the seed of fresh items, which tells the world that they are drawn from; none for the card's.

    >>> fresh_mark(None), fresh_mark(7) == fresh_mark(8)
    (None, False)
    """
    return None if seed is None else digest({"fresh": seed})


def name_of(place: int, item: str, fresh: bool) -> str:
    """What an item is called outside: by its id, or by its place among those of a fresh draw, whose ids hold its seed.

    >>> name_of(3, "test-00003", False), name_of(3, "test-00003-7", True)
    ('test-00003', 'fresh-00003')
    """
    return f"fresh-{place:05d}" if fresh else item


class HandedIn:
    """The explanations in a submission's folder."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest of a submission's folder; raises InvalidCardError, in one line, where that is none."""
        self.folder = folder / FOLDER
        self.path = self.folder / MANIFEST
        body = self._read(MANIFEST, LARGEST_MANIFEST)
        self._hashes: dict[str, str] = {}
        self._manifest_hash = hashlib.sha256(body).hexdigest()
        self.manifest = parsed(self.path, body, Manifest)

    def body(self, name: str) -> bytes:
        """Bytes of a file that the manifest names.

        Raises InvalidCardError where it is no plain file of this folder, is larger than any that is read, or is not
        what the submission's hash was made of.
        """
        body = self._read(name, LARGEST_FILE)
        found = hashlib.sha256(body).hexdigest()
        if self._hashes.setdefault(name, found) != found:
            raise InvalidCardError(f"{self.folder / name}: it changed while it was read; run the same command again")
        return body

    @cached_property
    def digest(self) -> str:
        """Hash of the manifest and of every file that it names, 16 hex digits.

        Raises InvalidCardError where one is missing, leads elsewhere, is too large, or is not what the manifest says.
        """
        for item in (item for each in self.manifest.sets for item in each.items):
            if item.file is None:
                continue
            if item.file not in self._hashes:
                self.body(item.file)
            found = self._hashes[item.file]
            if item.sha256 not in (None, found):
                raise InvalidCardError(
                    f"{self.folder / item.file}: its SHA-256 is {found[:16]}..., and {MANIFEST} says "
                    f"{str(item.sha256)[:16]}...; copy the file again, or mend the manifest"
                )
        return digest([self._manifest_hash, self._hashes])

    def _read(self, name: str, most: int) -> bytes:
        """Bytes of a plain file below the folder; links are not followed, whatever they lead to."""
        path = self.folder / name
        try:
            for place in (self.folder, *(self.folder / each for each in reversed(Path(name).parents[:-1])), path):
                if place.is_symlink():
                    raise InvalidCardError(f"{place}: a link, and none is followed here; put the file itself there")
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                state = os.fstat(descriptor)
                if not stat.S_ISREG(state.st_mode):
                    raise InvalidCardError(f"{path}: no plain file; put the file itself there")
                if state.st_size > most:
                    raise InvalidCardError(f"{path}: {state.st_size:,} bytes, and {most:,} are read; make it smaller")
                return file.read(most)
        except FileNotFoundError as error:
            other = f"add it, or say in {MANIFEST} why the item has `failed`"
            then = "write one, as `earwitness new NAME --explanations` does" if name == MANIFEST else other
            raise InvalidCardError(f"{path}: no such file; {then}") from error
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            raise InvalidCardError(f"{path}: cannot be read: {said}; put a plain file there") from error


def parsed(path: Path, body: bytes, schema: type[CardT]) -> CardT:
    """The JSON document of these bytes; raises InvalidCardError, in one line, where it is none of the schema."""
    try:
        text = body.decode("utf-8-sig")
        json.loads(text, object_pairs_hook=unrepeated)
        return schema.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise InvalidCardError(f"{path}: {_complaint(error)}; mend it") from error
    except RecursionError as error:
        raise InvalidCardError(f"{path}: nested too deep; write it again") from error
    except UnicodeDecodeError as error:
        raise InvalidCardError(f"{path}: not UTF-8 from byte {error.start} on; write it again") from error
    except ValueError as error:
        raise InvalidCardError(f"{path}: no JSON that can be read: {short(str(error))}; mend it") from error


def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's pairs; raises ValueError where a key is there twice: of two readers each might take another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {shortened(twice)!r} is there twice")
    return found


def _complaint(error: ValidationError) -> str:
    """What is wrong first, and how much more there is."""
    every = error.errors(include_url=False, include_input=False)
    # What is wrong inside a list makes the list too short as well.
    inner = {each["loc"][:end] for each in every for end in range(len(each["loc"]))}
    errors = [each for each in every if not each["loc"] or each["loc"] not in inner]
    where = short(".".join(str(part) for part in errors[0]["loc"])) or "document"
    said = "an unknown key" if errors[0]["type"] == "extra_forbidden" else errors[0]["msg"]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {short(said.removeprefix('Value error, '))}{more}"
