"""Training of twins: a task's model again from another seed, around the data and the parts that the task ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.authoring.training.workshop import Workshop
from earwitness.errors import EarwitnessError
from earwitness.identity import of_files
from earwitness.own_model import Twin, twin_of, world_of, write_twin
from earwitness.task import CARD

if TYPE_CHECKING:
    from earwitness.task import Task


def _micro_prompt(task: Task, out: Path, work: Workshop) -> dict[str, Any]:
    """The text-to-audio model around the shipped codec; the shipped judges say what it reaches."""
    from earwitness.authoring.training import scene_floors, scenes
    from earwitness.authoring.training.data import scene_clips, solo_clips

    shipped = Path(task.source(task.card.model.source))
    seconds = scenes.fit_prompt(
        scene_clips("train", scenes.CLIPS, work.clips),
        solo_clips("train", scenes.SOLOS, work.clips),
        scenes.codec_of(shipped),
        out,
        replace(work, around=_around(work, shipped)),
    )
    reached = {split: scene_floors.measure(out, split, beside=task.folder) for split in scenes.HELD_OUT}
    return {"seed": work.seed, "seconds": seconds, "floors": reached}


def _micro_speech(_: Task, out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.spoken import train_recogniser

    return train_recogniser(out, work)


def _micro_translation(_: Task, out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.spoken import train_translator

    return train_translator(out, work)


def _micro_band(task: Task, out: Path, work: Workshop) -> dict[str, Any]:
    """The diffusion model around the shipped autoencoder; the shipped judge says what it reaches."""
    import torch
    from diffusers import AutoencoderKL

    from earwitness.authoring.training import band, band_floors
    from earwitness.authoring.training.clips import stem_clips

    torch.set_num_threads(1)
    shipped = Path(task.source(task.card.model.source)) / "vae"
    autoencoder = AutoencoderKL.from_pretrained(shipped, torch_dtype=torch.float32)
    seconds = band.fit_diffusion(
        stem_clips("train", band.CLIPS, work.clips), autoencoder, out, replace(work, around=_around(work, shipped))
    )
    reached = {split: band_floors.measure(out, split, beside=task.folder) for split in ("validation", "test")}
    return {"seed": work.seed, "seconds": {"diffusion": seconds}, "floors": reached}


def _micro_oobleck(_: Task, out: Path, work: Workshop) -> dict[str, Any]:
    from earwitness.authoring.training.oobleck import train_oobleck

    return train_oobleck(out, work)


def _around(work: Workshop, shipped: Path) -> str:
    """What checkpoints of a twin are named by that is trained around parts in a folder."""
    return f"{work.around}-{of_files(shipped)[:6]}"


@dataclass(frozen=True)
class TwinRecipe:
    """How twins of a task are trained."""

    train: Callable[[Task, Path, Workshop], dict[str, Any]]
    """Writes `model` into a folder and returns its seconds and floors."""
    masks: bool
    """Whether the recipe removes parts of inputs, so that a twin can be trained without."""


TWINS = {
    "micro_prompt": TwinRecipe(_micro_prompt, masks=True),
    "micro_speech": TwinRecipe(_micro_speech, masks=True),
    "micro_translation": TwinRecipe(_micro_translation, masks=True),
    "micro_band": TwinRecipe(_micro_band, masks=False),
    "micro_oobleck": TwinRecipe(_micro_oobleck, masks=False),
}


def train_twin(task: Task, out: Path, seed: int, masked: bool = True, work: Path | None = None) -> dict[str, Any]:
    """Train a twin of a task's model, write it into `out`/model and return its seconds and floors.

    What a twin is trained around (codec, autoencoder) and heard by (judges) is what the task ships. Resumes from the
    checkpoints in `work` (default `.earwitness/training/<task>`). Raises EarwitnessError where the task has no recipe
    for twins, or one that masks nothing and should be unmasked, where the seed is the shipped model's, and where `out`
    holds a finished twin or a task.
    """
    recipe = TWINS.get(task.id)
    if recipe is None:
        raise EarwitnessError(f"{task.id} has no training recipe for twins; tasks with one: {', '.join(TWINS)}")
    if seed < 1:
        raise EarwitnessError(f"a twin's seed is 1 or more, since the model of {task.id} is of seed 0; {seed} is none")
    if not masked and not recipe.masks:
        masking = ", ".join(name for name, other in TWINS.items() if other.masks)
        raise EarwitnessError(f"{task.id}: its recipe masks nothing that could be left unmasked; those of {masking} do")
    _refuse_taken(out)
    twin = Twin(task=task.id, seed=seed, masked=masked, world=world_of(task))
    place = work or Path(".earwitness/training") / task.id
    around = f"{twin.world.name}-{twin.world.version}"
    figures = recipe.train(task, out, Workshop(place, seed, masked, around)) | {"masked": masked}
    (out / "training.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    # Last of all: a model that holds it is whole.
    write_twin(out / "model", twin)
    return figures


def _refuse_taken(out: Path) -> None:
    """Raise EarwitnessError where a folder holds a task, or a twin that is finished."""
    if (out / CARD).exists():
        raise EarwitnessError(f"{out} holds a task, whose own model a twin would replace; name another folder")
    done = twin_of(out / "model")
    if done is not None:
        raise EarwitnessError(
            f"{out / 'model'} holds the finished {done} of {done.task}; delete it, or name another folder"
        )
