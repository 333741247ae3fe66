"""Submissions of explanations, as a stranger might write them, for tests of what becomes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from earwitness.submission import Submission, read_submission

CARD = """
id = "{id}"
title = "Made elsewhere"
authors = ["A"]
licence = "CC-BY-4.0"
explanations = ["{track}"]
"""
HASH = "0" * 16


def file_of(item: str) -> str:
    return f"some/{item}.safetensors"


def set_of(names: Sequence[str], **update: Any) -> dict[str, Any]:
    """A set as JSON types."""
    listed = [{"id": item, "file": file_of(item)} for item in names]
    return {"task": "fake_task", "task_hash": HASH, "count": len(names), "items": listed, **update}


def arrays(seed: int, *shape: int) -> bytes:
    """A file of weights."""
    return save({"weights": np.random.default_rng(seed).random(shape, np.float32)})


def hand_in(folder: Path, *sets: dict[str, Any], shape: tuple[int, ...] = (4,), track: str = "prompt") -> Submission:
    """A submission with a manifest of sets, and weights in every file that they name."""
    place = folder / "explanations"
    (place / "some").mkdir(parents=True, exist_ok=True)
    (folder / "submission.toml").write_text(CARD.format(id=folder.name, track=track), encoding="utf-8")
    (place / "manifest.json").write_text(json.dumps({"format": 1, "sets": list(sets)}), encoding="utf-8")
    for each in sets:
        for number, item in enumerate(each["items"]):
            if "file" in item:
                (place / item["file"]).write_bytes(arrays(number, *shape))
    return read_submission(folder)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
