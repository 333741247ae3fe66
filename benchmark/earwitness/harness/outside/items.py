"""Items as files: what a box would show an explainer of a task, for those who explain elsewhere.

What an item holds is what crosses into a box, `fields()` and `arrays()` of the track's item, and its sound where the
model makes it of these alone. Neither truth, judges and metrics nor the seed of a fresh draw are among it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile
from pydantic import Field

from earwitness import tracks
from earwitness.errors import EarwitnessError
from earwitness.handed_in import fresh_mark, parsed
from earwitness.harness import score
from earwitness.harness.outside.answering import asked_for, renamed
from earwitness.harness.stages import LOG
from earwitness.results.file_names import file_name
from earwitness.results.writing import moved_into_place
from earwitness.scoring import Setting, outside
from earwitness.scoring.files import write_arrays
from earwitness.task import Card

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.harness.engines import Engine
    from earwitness.scoring.outside import ExpectedArray, TrackOutside
    from earwitness.task import Task
    from earwitness.tracks import Item

DOCUMENT = "items.json"
ARRAYS, SOUNDS = "arrays", "sounds"
"""Folders of the items' files."""


class HandedOutArray(Card):
    """An array that an explanation is made of."""

    name: str
    what: str
    dtype: str
    shapes: tuple[tuple[int | None, ...], ...]
    """Those that it may have; none stands for any size."""
    optional: bool

    @classmethod
    def of(cls, array: ExpectedArray) -> HandedOutArray:
        """As the document has it."""
        return cls(name=array.name, what=array.what, dtype=array.dtype, shapes=array.shapes, optional=array.optional)

    def plainest(self) -> tuple[int, ...]:
        """A shape that it may have, 1 where any size will do."""
        return tuple(1 if size is None else size for size in self.shapes[0])


class HandedOutItem(Card):
    """One item."""

    id: str
    fields: dict[str, Any]
    """Texts, tokens and seeds."""
    arrays: str
    """File of its arrays, relative to the document."""
    sound: str | None
    """File of its sound; none where an explainer hears none."""
    explanation: tuple[HandedOutArray, ...]


class HandedOutModel(Card):
    """The model that is explained."""

    adapter: str
    source: str
    """Hub id, or a folder of the task's."""
    revision: str
    identity: str
    """The hub id, or the hash of the folder's files."""
    parameters: dict[str, Any]
    sample_rate: int | None
    """Hz; none where it makes no sound."""


class HandedOut(Card):
    """The document of a folder of items."""

    format: Literal[1]
    task: str
    version: int
    title: str
    licence: str
    track: str
    question: str
    task_hash: str
    seed: int
    fresh: str | None
    """`fresh_mark` of the draw; none for the card's items."""
    count: int = Field(ge=1)
    """The first so many items of the task, of which those are missing that cannot be explained."""
    model: HandedOutModel
    items: tuple[HandedOutItem, ...]


@dataclass(frozen=True)
class HandOut:
    """Items of a task, and the folder that they are to lie in."""

    task: Task
    out: Path
    items: int | None = None
    seed: int = 0
    fresh: int | None = None
    device: str = "auto"


def hand_out(job: HandOut, engine: Engine) -> HandedOut:
    """Write a task's items into a folder, with the document that describes them, and return that.

    Raises EarwitnessError where the folder holds something, the items cannot be made, or files cannot be written.
    """
    # What a stopped call left is written again.
    if job.out.is_dir() and {path.name for path in job.out.iterdir()} - {ARRAYS, SOUNDS}:
        raise EarwitnessError(f"{job.out} holds files; name a folder that is empty or not there yet")
    with tempfile.TemporaryDirectory(prefix="earwitness-items-") as temporary:
        setting = Setting(job.task, job.items, job.seed, job.fresh, job.device, Path(temporary))
        ((_, found),) = list(engine.compute(_written, [_Job(setting, job.out)], Path(temporary) / LOG, 1))
    if isinstance(found, Exception):
        raise found
    document: HandedOut = found
    with moved_into_place(job.out / DOCUMENT) as temporary_file:
        temporary_file.write_text(document.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return document


def read_items(folder: Path) -> HandedOut:
    """The document of a folder of items; raises EarwitnessError where there is none that can be read."""
    path = folder / DOCUMENT
    try:
        return parsed(path, path.read_bytes(), HandedOut)
    except OSError as error:
        raise EarwitnessError(
            f"{path}: {error.strerror or error}; name a folder that `earwitness items TASK --out DIR` wrote"
        ) from error


@dataclass(frozen=True)
class _Job:
    setting: Setting
    out: Path


def _written(job: _Job) -> HandedOut:
    """Write the files of items and describe them; runs in a worker."""
    setting = score.resolve(job.setting)
    opened: Any = score.load(setting)
    items, _ = opened.items()
    task, card = setting.task, setting.task.card
    track, of_files = tracks.load(card.track), outside.of_track(card.track)
    if not items:
        raise EarwitnessError(f"task {task.id}: none of the items can be explained; take more of them")
    return HandedOut(
        format=1,
        task=task.id,
        version=card.version,
        title=card.title,
        licence=card.licence,
        track=track.name,
        question=track.question,
        task_hash=task.hash,
        seed=setting.seed,
        fresh=fresh_mark(setting.fresh),
        count=asked_for(task, setting.items),
        model=HandedOutModel(
            adapter=card.model.adapter,
            source=card.model.source,
            revision=card.model.revision,
            identity=task.named(card.model.source),
            parameters=dict(card.model.parameters),
            sample_rate=getattr(opened.model, "sample_rate", None),
        ),
        items=tuple(_items(job.out, renamed(items, setting.fresh), of_files, opened.model)),
    )


def _items(out: Path, items: dict[str, Item], of_files: TrackOutside, model: Any) -> Iterator[HandedOutItem]:
    for name, item in items.items():
        arrays, sound = f"{ARRAYS}/{file_name(name)}.safetensors", f"{SOUNDS}/{file_name(name)}.wav"
        write_arrays(out / arrays, item.arrays(), {"id": name})
        wave = of_files.sound(item, model)
        if wave is not None:
            with moved_into_place(out / sound, soundfile.SoundFileError) as temporary:
                # Single precision, so that it is the sound to the last bit.
                soundfile.write(temporary, np.asarray(wave, np.float32), model.sample_rate, "FLOAT", format="WAV")
        yield HandedOutItem(
            id=name,
            fields={key: value for key, value in item.fields().items() if key != "id"},
            arrays=arrays,
            sound=None if wave is None else sound,
            explanation=tuple(map(HandedOutArray.of, of_files.expected(item))),
        )
