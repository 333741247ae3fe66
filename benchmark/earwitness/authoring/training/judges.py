"""Training of the three judges on a made world of sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from earwitness.authoring.training.data import Clips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.workshop import Workshop
from earwitness.judges.ast import ASTJudge
from earwitness.judges.cnn import CNNJudge, small_cnn
from earwitness.judges.passt import PaSSTJudge, small_passt
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.models.storage import save_half
from earwitness.worlds.sounds import LABELS, SAMPLE_RATE

BATCH = 32
CODED = 3000
"""Clips that are sent through the codec, once."""
PATCHOUT = (2, 6)
"""Of 8 rows and 19 columns of patches those that a step leaves out: structured Patchout (arXiv 2110.05069, 2.2)."""

Draw = Callable[[np.random.Generator], tuple[Tensor, Tensor]]
"""Audio [B, S] and labels [B, C] of a batch."""


class Sounds(Protocol):
    """What judges are trained on."""

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Audio [size, S] and labels [size, C], drawn at random."""


def fit_judges(
    sounds: Sounds,
    coded: Sounds,
    out: Path,
    work: Workshop,
    steps: Mapping[str, int],
    untrained_ast: Callable[[tuple[str, ...]], ASTJudge],
) -> dict[str, float]:
    """Train and write all judges, each for so many steps; the seconds that each took.

    `coded` sounds went through the codec.
    """
    ast, ast_seconds = train_ast(
        sounds, coded, work.seed, TrainingCheckpoint(work.checkpoint("ast")), steps["ast"], untrained_ast
    )
    ast.save_pretrained(out / "judges" / "ast")
    cnn, cnn_seconds = train_cnn(sounds, work.seed, TrainingCheckpoint(work.checkpoint("cnn")), steps["cnn"])
    save_half(cnn, out / "judges" / "cnn")
    passt, passt_seconds = train_passt(
        sounds, coded, work.seed, TrainingCheckpoint(work.checkpoint("passt")), steps["passt"]
    )
    passt.save_pretrained(out / "judges" / "passt")
    return {"judge_ast": ast_seconds, "judge_cnn": cnn_seconds, "judge_passt": passt_seconds}


def train_ast(
    clips: Sounds,
    coded: Sounds,
    seed: int,
    checkpoint: TrainingCheckpoint,
    steps: int,
    untrained: Callable[[tuple[str, ...]], ASTJudge],
) -> tuple[ASTJudge, float]:
    """A trained AST judge, which heard a third of its clips through the codec, and the seconds it took."""
    torch.manual_seed(seed)
    judge = untrained(LABELS)

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        through_codec, known = coded.batch(rng, BATCH // 3)
        audio, present = clips.batch(rng, BATCH - BATCH // 3)
        return torch.cat([through_codec, disturb(audio, rng)]), torch.cat([known, present])

    plan = TrainingPlan("judge ast", steps, 1.2e-3, seed)
    seconds = train_judge(judge, judge, draw, plan, checkpoint)
    return judge, seconds


def train_cnn(clips: Sounds, seed: int, checkpoint: TrainingCheckpoint, steps: int) -> tuple[CNNJudge, float]:
    """A trained convolutional judge, which heard no codec, and the seconds it took."""
    torch.manual_seed(seed)
    judge = small_cnn(LABELS)

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        audio, labels = clips.batch(rng, BATCH)
        return colour(disturb(audio, rng), rng), labels

    plan = TrainingPlan("judge cnn", steps, 2e-3, seed)
    seconds = train_judge(judge, lambda audio: judge(audio).logits, draw, plan, checkpoint)
    judge.train(False)
    return judge, seconds


def train_passt(
    clips: Sounds, coded: Sounds, seed: int, checkpoint: TrainingCheckpoint, steps: int
) -> tuple[PaSSTJudge, float]:
    """A trained PaSST judge, which heard half of its clips through the codec, and the seconds it took.

    Patches are left out, spectra begin and end at varied frequencies, as hear21passt has them in training, and all
    clips go through a random equaliser, coded ones included.
    """
    torch.manual_seed(seed)
    judge = small_passt(LABELS)
    judge.network.s_patchout_f, judge.network.s_patchout_t = PATCHOUT

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        through_codec, known = coded.batch(rng, BATCH // 2)
        audio, present = clips.batch(rng, BATCH - BATCH // 2)
        heard = disturb(torch.cat([through_codec, audio]), rng)
        # hear21passt draws patches and frequencies from torch's own generator.
        torch.manual_seed(int(rng.integers(2**31)))
        return at_rate(colour(heard, rng, decibel=4.0), judge.sample_rate), torch.cat([known, present])

    plan = TrainingPlan("judge passt", steps, 1.2e-3, seed, cycles=2)
    seconds = train_judge(judge, judge, draw, plan, checkpoint)
    return judge, seconds


def train_judge(
    module: nn.Module,
    logits: Callable[[Tensor], Tensor],
    draw: Draw,
    plan: TrainingPlan,
    checkpoint: TrainingCheckpoint,
) -> float:
    """Train a judge in place on batches that `draw` makes, each class by itself; the seconds it took."""

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        audio, labels = draw(rng)
        return binary_cross_entropy_with_logits(logits(audio), labels)

    return fit(module, loss, plan, checkpoint)


@torch.no_grad()
def through(codec: SpectralCodec, clips: Clips[Any], count: int, batch: int = 16) -> Clips[Any]:
    """The first `count` clips, coded and decoded."""
    parts = []
    for start in range(0, min(count, len(clips.audio)), batch):
        audio = torch.from_numpy(clips.audio[start : min(start + batch, count)].astype(np.float32))
        parts.append(codec.audio(codec.quantise(codec.latents(audio)))[:, : audio.shape[1]])
    coded = torch.cat(parts).numpy()
    return Clips(clips.scenes[: len(coded)], coded, clips.labels[: len(coded)])


def at_rate(audio: Tensor, rate: int) -> Tensor:
    """Clips [B, S] of the world at another sample rate in Hz, as the prompt track's scoring resamples them."""
    return torch.from_numpy(resample_poly(audio.numpy(), rate, SAMPLE_RATE, axis=-1).astype(np.float32))


def disturb(audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Clips [B, S] turned in time, louder or softer by up to 6 dB, tilted by up to 6 dB, under faint noise."""
    size, samples = audio.shape
    turned = torch.stack([clip.roll(int(rng.integers(samples))) for clip in audio])
    spectrum = torch.fft.rfft(turned)
    octave = torch.linspace(-1, 1, spectrum.shape[1])
    level = torch.from_numpy(rng.uniform(-6, 6, (size, 2)).astype(np.float32))
    gain = 10 ** ((level[:, :1] + level[:, 1:] * octave) / 20)
    noise = torch.from_numpy(rng.standard_normal((size, samples), dtype=np.float32))
    floor = torch.from_numpy(10 ** (rng.uniform(-90, -50, (size, 1)).astype(np.float32) / 20))
    disturbed: Tensor = torch.fft.irfft(spectrum * gain, samples) + floor * noise
    return disturbed


def colour(audio: Tensor, rng: np.random.Generator, knots: int = 12, decibel: float = 9.0) -> Tensor:
    """Clips [B, S] through a random smooth equaliser: no single band may be relied on."""
    size, samples = audio.shape
    spectrum = torch.fft.rfft(audio)
    levels = torch.from_numpy(rng.uniform(-decibel, decibel, (size, 1, knots)).astype(np.float32))
    gain = 10 ** (interpolate(levels, spectrum.shape[1], mode="linear", align_corners=True)[:, 0] / 20)
    coloured: Tensor = torch.fft.irfft(spectrum * gain, samples)
    return coloured
