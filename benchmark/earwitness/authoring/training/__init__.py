"""Training of the micro-models, from nothing to the folders that a task ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from earwitness.authoring.training.workshop import Workshop
from earwitness.errors import EarwitnessError


def _micro_prompt(out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.codec import fit_codec
    from earwitness.authoring.training.scenes import train_scenes

    codec, seconds = fit_codec(work)
    figures = train_scenes(out, work, codec)
    return figures | {"seconds": {"codec": seconds, **figures["seconds"]}}


def _micro_speech(out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.spoken import train_recogniser

    return train_recogniser(out, work)


def _micro_translation(out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.spoken import train_translator

    return train_translator(out, work)


def _micro_band(out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.band import train_band

    return train_band(out, work)


def _micro_oobleck(out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.oobleck import train_oobleck

    return train_oobleck(out, work)


RECIPES: dict[str, Callable[[Path, Workshop], dict[str, Any]]] = {
    "micro_prompt": _micro_prompt,
    "micro_speech": _micro_speech,
    "micro_translation": _micro_translation,
    "micro_band": _micro_band,
    "micro_oobleck": _micro_oobleck,
}
"""What trains a task's models into a folder and returns its seconds and floors."""


def train(task: str, out: Path, seed: int = 0, work: Path | None = None) -> dict[str, Any]:
    """Train everything that a micro task ships, write it into `out` and return seconds and floors.

    Resumes from the checkpoints in `work` (default `.earwitness/training/<task>`). Raises EarwitnessError where the
    task has no recipe.
    """
    if task not in RECIPES:
        raise EarwitnessError(f"{task} has no training recipe; trainable tasks: {', '.join(RECIPES)}")
    figures = RECIPES[task](out, Workshop(work or Path(".earwitness/training") / task, seed))
    (out / "training.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures
