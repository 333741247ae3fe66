"""The recipe of the stems world's models, part by part: autoencoder, judge, text-to-audio diffusion model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from earwitness.authoring.training.autoencoder import train_autoencoder
from earwitness.authoring.training.clips import SHAPE, StemClips, stem_clips
from earwitness.authoring.training.diffusion import (
    UNHEARD,
    compose,
    plan_of,
    refining_plan_of,
    save_pipeline,
    train_diffusion,
)
from earwitness.authoring.training.judges import colour, disturb, train_judge
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.judges.cnn import CNNJudge, small_cnn
from earwitness.models.mel_vocoder import GriffinLimVocoder
from earwitness.models.storage import save_half
from earwitness.worlds.stems import NAMES

if TYPE_CHECKING:
    from diffusers import AudioLDM2Pipeline, AutoencoderKL

    from earwitness.authoring.training.workshop import Workshop

CLIPS = 12_000
DECODED = 3_000
"""Clips that the judge also hears through autoencoder and vocoder."""
JUDGE_STEPS, JUDGE_BATCH, JUDGE_RATE = 1800, 32, 2e-3


def train_band(out: Path, work: Workshop) -> dict[str, Any]:
    """Train all three parts, write them into `out` and return their seconds and floors."""
    from earwitness.authoring.training.band_floors import measure

    torch.set_num_threads(1)
    clips = stem_clips("train", CLIPS, work.clips)
    autoencoder, autoencoder_seconds = train_autoencoder(
        clips, work.seed, TrainingCheckpoint(work.checkpoint("autoencoder"))
    )
    judge_seconds = fit_judge(clips, autoencoder, out, work)
    seconds = {
        "autoencoder": autoencoder_seconds,
        "judge": judge_seconds,
        "diffusion": fit_diffusion(clips, autoencoder, out, work),
    }
    floors = {split: measure(out, split) for split in ("validation", "test")}
    return {"seed": work.seed, "seconds": seconds, "floors": floors}


def fit_judge(clips: StemClips, autoencoder: AutoencoderKL, out: Path, work: Workshop) -> float:
    """Train and write the stem tagger; the seconds it took."""
    torch.manual_seed(work.seed)
    judge: CNNJudge = small_cnn(NAMES)
    decoded, labels = through(autoencoder, clips, DECODED), torch.from_numpy(clips.labels[:DECODED])

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        half = JUDGE_BATCH // 2
        chosen = torch.from_numpy(rng.integers(0, len(decoded), half))
        audio, present = clips.batch(rng, JUDGE_BATCH - half)
        heard = disturb(torch.cat([decoded[chosen].float(), audio]), rng)
        return colour(heard, rng, decibel=4.0), torch.cat([labels[chosen], present])

    plan = TrainingPlan("judge", JUDGE_STEPS, JUDGE_RATE, work.seed)
    seconds = train_judge(
        judge, lambda audio: judge(audio).logits, draw, plan, TrainingCheckpoint(work.checkpoint("judge"))
    )
    judge.train(False)
    save_half(judge, out / "judges" / "cnn")
    return seconds


def fit_diffusion(
    clips: StemClips,
    autoencoder: AutoencoderKL,
    out: Path,
    work: Workshop,
    visit: Callable[[AudioLDM2Pipeline, TrainingCheckpoint], None] | None = None,
) -> float:
    """Train and write the pipeline; the seconds its denoiser took."""
    torch.manual_seed(work.seed)
    pipeline = compose(autoencoder)
    look = None if visit is None else lambda reached: visit(pipeline, reached)
    checkpoint = TrainingCheckpoint(work.checkpoint("diffusion"))
    seconds = train_diffusion(pipeline, clips, plan_of(work.seed), checkpoint, look)
    checkpoint = TrainingCheckpoint(work.checkpoint("refining"))
    seconds += train_diffusion(pipeline, clips, refining_plan_of(work.seed), checkpoint, look, UNHEARD)
    save_pipeline(pipeline, out / "model")
    return seconds


@torch.inference_mode()
def through(autoencoder: AutoencoderKL, clips: StemClips, count: int, batch: int = 50) -> Tensor:
    """The first `count` clips [count, S] in half precision, through autoencoder and vocoder."""
    vocoder = GriffinLimVocoder.of(SHAPE, iterations=8)
    parts = []
    for start in range(0, min(count, len(clips.mels)), batch):
        mel = torch.from_numpy(clips.mels[start : min(start + batch, count)].astype(np.float32))[:, None]
        decoded = autoencoder.decode(autoencoder.encode(mel).latent_dist.mean).sample[:, 0]
        parts.append(vocoder(decoded).half())
    return torch.cat(parts)
