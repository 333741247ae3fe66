"""Whether a folder can be the model that it is named for, told from the headers of its weights alone.

Before anything is loaded: a copy of another checkpoint would be run under the card's name.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.task import Task

WHOLE = "model.safetensors"
PARTS = f"{WHOLE}.index.json"
LEAST, MOST = 0.75, 1.75
"""Of the card's parameters: a file may hold buffers, and a head that is tied to its embedding a second time. Published
sizes of a family are at least 1.9 times apart."""
LONGEST = 100_000_000
"""Bytes of a header (the format's own bound)."""


def require_fitting(task: Task) -> None:
    """Raise ModelError, in one line, where the folder of a task's model holds half a download, or another size's model.

    Sizes are those of a copy of the card's own model, where the card tells its parameters. Folders without safetensors
    are left to the adapter.
    """
    source, said = task.card.model.source, task.card.needs.parameters
    if source not in task.copies:
        return
    folder = Path(task.copies[source])
    found = sum(_numbers(path) for path in _files(folder))
    if task.own_model is None and said and found and not LEAST * said <= found <= MOST * said:
        raise ModelError(
            f"{folder} holds {found:,} parameters, and {source}, the model of task {task.id}, has {said:,}; name a "
            "copy of that with --source, or run the task with this one as a model of your own: --model"
        )


def _files(folder: Path) -> list[Path]:
    """Files of a folder's weights; raises ModelError where a part of them is not there."""
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    try:
        listed = json.loads((folder / PARTS).read_text(encoding="utf-8"))["weight_map"].values()
        names = sorted(set(map(str, listed)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise ModelError(f"{folder} lacks {short(absent[0])[:80]}, a part of its weights; fetch it again")
    return [folder / name for name in names]


def _numbers(path: Path) -> int:
    """How many numbers a safetensors file holds; raises ModelError where it is cut short or none."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length)) if length <= min(size, LONGEST) else None
        tensors = list(_tensors(header))
        ends = max((int(each["data_offsets"][1]) for each in tensors), default=0)
        found = sum(math.prod(map(int, each["shape"])) for each in tensors)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{path} is no safetensors file, or the start of one alone; fetch it again") from error
    if size != 8 + length + ends:
        raise ModelError(
            f"{path} has {size:,} bytes and its header tells of {8 + length + ends:,}, as of half a download; fetch it "
            "again"
        )
    return found


def _tensors(header: Any) -> Iterator[dict[str, Any]]:
    yield from (each for name, each in header.items() if name != "__metadata__")
