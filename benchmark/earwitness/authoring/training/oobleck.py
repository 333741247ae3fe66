"""Training of a small Oobleck variational autoencoder on the tones world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from diffusers import AutoencoderOobleck
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from earwitness.atomic import atomic_write
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.models import oobleck
from earwitness.models.storage import halve
from earwitness.worlds.tones import SAMPLE_RATE, SAMPLES, VERSION, Split, render, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.authoring.training.workshop import Workshop

CLIPS, HELD_OUT = 4000, 100
STEPS, BATCH, LEARNING_RATE = 20_000, 4, 2e-3
CROP = 1_920
"""Samples of a crop: 24 latent frames."""
LATENTS = 16
"""D."""
DECODER_WIDTH = 16
MULTIPLES = (1, 2)
"""Of the width, at each level."""
RATIOS = (8, 10)
"""80 samples a latent frame, 200 frames a second; even ones, so that frames stay whole.

Latents that hold the wave itself: with the 25 frames a second of the micro codec, spectra alone to learn from and no
adversary, 2,500 steps ended farther from the sound than silence is.
"""
LEVEL = 10.0
"""By which the first convolution's weights are larger, and the last one's smaller, than they are drawn: most clips have
a root mean square of less than a tenth."""
FIRST_SCALE = -5.0
"""Bias of the posterior's scale before training: at first it is narrow, else its noise drowns what is learnt."""
WINDOWS = (256, 512, 1024, 2048)
"""Samples of the windows of the loss; hops are a quarter."""
FLOOR = 1e-2
"""Below it a magnitude counts as silence."""
AUDIBLE = 40.0
"""dB below a clip's largest magnitude down to which a cell is heard."""
SPECTRAL_WEIGHT = 0.3
KL_WEIGHT = 1e-6
QUIET = 1e-6
"""Mean square that is added to a crop's own, so that silence divides nothing by 0."""
TINY = 1e-9
"""Keeps the gradient of a root finite where nothing is wrong."""


def train_oobleck(out: Path, work: Workshop) -> dict[str, Any]:
    """Train the autoencoder, write it into `out`/model and return its seconds and floors."""
    torch.set_num_threads(1)
    audio = tone_audio("train", CLIPS, work.clips)
    model, seconds = train_autoencoder(audio, work.seed, TrainingCheckpoint(work.checkpoint("oobleck")))
    save(model, out / "model")
    floors = {split: measure(out / "model", tone_audio(split, HELD_OUT, work.clips)) for split in _HELD_OUT_SPLITS}
    return {"seed": work.seed, "seconds": {"autoencoder": seconds}, "floors": floors}


_HELD_OUT_SPLITS: tuple[Split, ...] = ("validation", "test")


def compose() -> AutoencoderOobleck:
    """An untrained mono autoencoder of 0.2 M parameters, scaled to the level of its clips."""
    model = AutoencoderOobleck(
        encoder_hidden_size=2 * LATENTS,
        downsampling_ratios=list(RATIOS),
        channel_multiples=list(MULTIPLES),
        decoder_channels=DECODER_WIDTH,
        decoder_input_channels=LATENTS,
        audio_channels=1,
        sampling_rate=SAMPLE_RATE,
    )
    with torch.no_grad():
        model.encoder.conv1.weight_g.mul_(LEVEL)
        model.decoder.conv2.weight_g.div_(LEVEL)
        model.encoder.conv2.weight_g[LATENTS:].div_(LEVEL)
        model.encoder.conv2.bias[LATENTS:] = FIRST_SCALE
    return model


def train_autoencoder(
    audio: NDArray[np.float16],
    seed: int,
    checkpoint: TrainingCheckpoint,
    plan: TrainingPlan | None = None,
    visit: Callable[[TrainingCheckpoint], None] | None = None,
) -> tuple[AutoencoderOobleck, float]:
    """An autoencoder trained on clips [n, S], and the seconds it took."""
    torch.manual_seed(seed)
    model = compose()

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        return objective(model, crops(audio, rng, BATCH), rng)

    seconds = fit(model, loss, plan or TrainingPlan("oobleck", STEPS, LEARNING_RATE, seed), checkpoint, visit)
    return model, seconds


def objective(model: Any, audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Scalar loss of audio [B, S]: its wave and spectra after latents drawn from the posterior, and their divergence.

    Spectra and divergence are the reconstruction loss of Stable Audio (Evans et al., arXiv 2402.04825). The wave
    stands in for its adversary, which takes longer to train than the rest: spectra alone leave phases to chance.
    """
    posterior = model.encode(audio[:, None]).latent_dist
    noise = torch.from_numpy(rng.standard_normal(posterior.mean.shape, dtype=np.float32))
    decoded = model.decode(posterior.mean + posterior.std * noise).sample[:, 0]
    total: Tensor = (
        wave_loss(decoded, audio) + SPECTRAL_WEIGHT * spectral_loss(decoded, audio) + KL_WEIGHT * posterior.kl()
    )
    return total


def wave_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean over crops of the error's root mean square, relative to that of audio [B, S]."""
    relative = (found - wanted).square().mean(1) / (wanted.square().mean(1) + QUIET)
    return (relative + TINY).sqrt().mean()


def spectral_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean over windows of spectral convergence and L1 of log magnitudes of audio [B, S].

    Yamamoto et al., arXiv 1910.11480, equations 4 and 5.
    """
    total = torch.zeros(())
    for size in WINDOWS:
        one, other = _magnitude(found, size), _magnitude(wanted, size)
        convergence = (other - one).square().sum((1, 2)).sqrt() / other.square().sum((1, 2)).sqrt().clamp_min(FLOOR)
        total = total + convergence.mean() + (one.log() - other.log()).abs().mean()
    return total / len(WINDOWS)


def _magnitude(audio: Tensor, size: int) -> Tensor:
    """Floored magnitude spectrum [B, bins, T] of audio [B, S]."""
    spectrum = torch.stft(
        audio, size, size // 4, window=torch.hann_window(size), return_complex=True, pad_mode="constant"
    )
    # The root of a clamped power, since the gradient of a magnitude is not finite where it is 0.
    return torch.view_as_real(spectrum).square().sum(-1).clamp_min(FLOOR**2).sqrt()


def crops(audio: NDArray[np.float16], rng: np.random.Generator, size: int, samples: int = CROP) -> Tensor:
    """Random crops [size, samples] of random clips [n, S]."""
    chosen = rng.integers(0, len(audio), size)
    starts = rng.integers(0, audio.shape[1] - samples + 1, size)
    pieces = [audio[i, start : start + samples] for i, start in zip(chosen, starts, strict=True)]
    return torch.from_numpy(np.stack(pieces).astype(np.float32))


def tone_audio(split: Split, count: int, cache: Path) -> NDArray[np.float16]:
    """Audio [n, S] of the first clips of a split, rendered unless the cache holds them."""
    path = cache / f"tones_{VERSION}_{split}_{count}.npy"
    if not path.exists():
        with atomic_write(path) as temporary:
            made = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=(count, SAMPLES))
            for index in track(range(count), description="rendering", transient=True):
                made[index] = render(tone(split, index))
            made.flush()
    return cast("NDArray[np.float16]", np.load(path, mmap_mode="r"))


def save(model: AutoencoderOobleck, folder: Path) -> None:
    """Write an autoencoder in diffusers' format, weights in half precision, to be read in single precision."""
    model.save_pretrained(folder)
    halve(folder / "diffusion_pytorch_model.safetensors")


@torch.inference_mode()
def measure(folder: Path, audio: NDArray[np.floating], batch: int = 4) -> dict[str, float]:
    """What comes back of clips [n, S]: the wave's signal-to-noise ratio in dB, median and 10th percentile of the clips.

    `decoded_decibels` is the mean distance of log magnitudes in dB over the cells within `AUDIBLE` dB of a clip's
    largest, and `silence_decibels` that of silence, every magnitude being `FLOOR` at least.
    """
    model = oobleck.from_pretrained(str(folder))
    ratios: list[float] = []
    distances: dict[str, list[float]] = {"decoded": [], "silence": []}
    for start in range(0, len(audio), batch):
        clips = torch.from_numpy(audio[start : start + batch].astype(np.float32))
        decoded = model.decode(model.encode(clips))
        ratios += (10 * (clips.square().sum(1) / (decoded - clips).square().sum(1)).log10()).tolist()
        level = _decibels(clips)
        audible = level > level.amax((1, 2), keepdim=True) - AUDIBLE
        for name, other in (("decoded", decoded), ("silence", torch.zeros_like(clips))):
            apart = (level - _decibels(other)).abs() * audible
            distances[name] += (apart.sum((1, 2)) / audible.sum((1, 2))).tolist()
    found = {f"{name}_decibels": float(np.mean(values)) for name, values in distances.items()}
    median, low = np.percentile(ratios, [50, 10])
    return {**found, "signal_to_noise": float(median), "signal_to_noise_low": float(low)}


def _decibels(audio: Tensor) -> Tensor:
    return 20 * _magnitude(audio, WINDOWS[2]).log10()
