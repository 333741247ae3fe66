"""The recipe of the soundscape's models, part by part: codec, judges, text-to-audio model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.authoring.training.codec import train_codec
from earwitness.authoring.training.data import Clips, clips
from earwitness.authoring.training.floors import measure
from earwitness.authoring.training.judges import CODED, fit_judges, through
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.authoring.training.prompt import (
    CYCLES,
    LEARNING_RATE,
    STEPS,
    PromptData,
    build_tokenizer,
    compose,
    encode_clips,
    save_model,
    train_prompt,
)
from earwitness.worlds.soundscape import Scene, Split

if TYPE_CHECKING:
    from earwitness.authoring.training.workshop import Workshop
    from earwitness.models.spectral_codec import SpectralCodec

CLIPS = 9000
HELD_OUT: tuple[Split, ...] = ("validation", "test")


def train_soundscape(out: Path, work: Workshop) -> dict[str, Any]:
    """Train all five parts, write them into `out` and return their seconds and floors."""
    torch.set_num_threads(1)
    # Codec and judges hear events that begin and end anywhere; captions of the task do not speak of order.
    varied = clips("train", CLIPS, work.clips, order=True)
    codec, codec_seconds = fit_codec(varied, work)
    seconds = {
        "codec": codec_seconds,
        **fit_judges(varied, through(codec, varied, CODED), out, work),
        "text_to_audio": fit_prompt(clips("train", CLIPS, work.clips), codec, out, work),
    }
    floors = {split: measure(out, split) for split in HELD_OUT}
    return {"seed": work.seed, "seconds": seconds, "floors": floors}


def fit_codec(train_clips: Clips[Scene], work: Workshop) -> tuple[SpectralCodec, float]:
    """The codec and the seconds it took."""
    return train_codec(train_clips, work.seed, TrainingCheckpoint(work.checkpoint("codec")))


def fit_prompt(
    train_clips: Clips[Scene],
    codec: SpectralCodec,
    out: Path,
    work: Workshop,
    visit: Callable[[Any, TrainingCheckpoint], None] | None = None,
) -> float:
    """Train and write the text-to-audio model; the seconds it took."""
    torch.manual_seed(work.seed)
    model = compose(codec, len(build_tokenizer()))
    data = PromptData(train_clips, encode_clips(codec, train_clips))
    plan = TrainingPlan("text-to-audio", STEPS, LEARNING_RATE, work.seed, cycles=CYCLES)
    checkpoint = TrainingCheckpoint(work.checkpoint("prompt"))
    look = None if visit is None else lambda reached: visit(model, reached)
    seconds = train_prompt(model, data, plan, checkpoint, look, work.masked)
    save_model(model, out / "model")
    return seconds
