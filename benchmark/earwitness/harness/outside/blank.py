"""A submission of explanations to begin with: the manifest of some items, and arrays of zeros, which say nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from earwitness.handed_in import ENDING, FOLDER, MANIFEST, HandedItem, HandedSet, Manifest
from earwitness.results.file_names import file_name
from earwitness.results.writing import moved_into_place
from earwitness.scoring.files import write_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from earwitness.harness.outside.items import HandedOut


def write_blank(folder: Path, items: HandedOut) -> None:
    """Write explanations of zeros of some items, and their manifest, into a submission's folder.

    Raises EarwitnessError where they cannot be written.
    """
    place = folder / FOLDER
    listed = []
    for item in items.items:
        name = f"{items.task}/{file_name(item.id)}{ENDING}"
        arrays = {
            array.name: np.zeros(array.plainest(), array.dtype) for array in item.explanation if not array.optional
        }
        write_arrays(place / name, arrays, {})
        listed.append(HandedItem(id=item.id, file=name))
    own = HandedSet(
        task=items.task,
        task_hash=items.task_hash,
        seed=items.seed,
        fresh=items.fresh,
        count=items.count,
        items=tuple(listed),
    )
    told = Manifest(format=1, sets=(own,)).model_dump(mode="json", exclude_defaults=True)
    with moved_into_place(place / MANIFEST) as temporary:
        temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
