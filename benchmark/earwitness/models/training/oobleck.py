"""Training of a small Oobleck variational autoencoder on the tones world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from diffusers import AutoencoderOobleck
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from earwitness.models import oobleck
from earwitness.models.training.loop import Checkpoint, Plan, fit
from earwitness.models.training.storage import halve
from earwitness.worlds.tones import SAMPLE_RATE, SAMPLES, VERSION, Split, render, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.models.training import Workshop

CLIPS, HELD_OUT = 4000, 100
STEPS, BATCH, LEARNING_RATE = 2500, 4, 1e-3
CROP = 7_680
"""Samples of a crop: 12 latent frames."""
LATENTS = 16
"""D."""
DECODER_WIDTH = 16
MULTIPLES = (1, 1, 2, 3)
"""Of the width, at each level."""
RATIOS = (4, 4, 4, 10)
"""640 samples a latent frame, 25 frames a second, as the micro codec has it; even ones, so that frames stay whole."""
WINDOWS = (256, 512, 1024, 2048)
"""Samples of the windows of the loss; hops are a quarter."""
FLOOR = 1e-2
"""Below it a magnitude counts as silence."""
KL_WEIGHT = 1e-4


def train_oobleck(out: Path, work: Workshop) -> dict[str, Any]:
    """Train the autoencoder, write it into `out`/model and return its seconds and floors."""
    torch.set_num_threads(1)
    audio = tone_audio("train", CLIPS, work.clips)
    model, seconds = train_autoencoder(audio, work.seed, Checkpoint(work.checkpoint("oobleck")))
    save(model, out / "model")
    floors = {split: measure(out / "model", tone_audio(split, HELD_OUT, work.clips)) for split in _HELD_OUT_SPLITS}
    return {"seed": work.seed, "seconds": {"autoencoder": seconds}, "floors": floors}


_HELD_OUT_SPLITS: tuple[Split, ...] = ("validation", "test")


def compose() -> AutoencoderOobleck:
    """An untrained mono autoencoder of 0.4 M parameters."""
    return AutoencoderOobleck(
        encoder_hidden_size=2 * LATENTS,
        downsampling_ratios=list(RATIOS),
        channel_multiples=list(MULTIPLES),
        decoder_channels=DECODER_WIDTH,
        decoder_input_channels=LATENTS,
        audio_channels=1,
        sampling_rate=SAMPLE_RATE,
    )


def train_autoencoder(
    audio: NDArray[np.float16],
    seed: int,
    checkpoint: Checkpoint,
    plan: Plan | None = None,
    visit: Callable[[Checkpoint], None] | None = None,
) -> tuple[AutoencoderOobleck, float]:
    """An autoencoder trained on clips [n, S], and the seconds it took."""
    torch.manual_seed(seed)
    model = compose()

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        return objective(model, crops(audio, rng, BATCH), rng)

    seconds = fit(model, loss, plan or Plan("oobleck", STEPS, LEARNING_RATE, seed), checkpoint, visit)
    return model, seconds


def objective(model: Any, audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Scalar loss of audio [B, S]: its spectra after latents drawn from the posterior, and the posterior's divergence.

    The reconstruction loss of Stable Audio (Evans et al., arXiv 2402.04825) without its adversary, which takes longer
    to train than the rest and serves the ear alone.
    """
    posterior = model.encode(audio[:, None]).latent_dist
    noise = torch.from_numpy(rng.standard_normal(posterior.mean.shape, dtype=np.float32))
    decoded = model.decode(posterior.mean + posterior.std * noise).sample[:, 0]
    total: Tensor = spectral_loss(decoded, audio) + KL_WEIGHT * posterior.kl()
    return total


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
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        made = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(count, SAMPLES))
        for index in track(range(count), description="rendering", transient=True):
            made[index] = render(tone(split, index))
        made.flush()
        os.replace(part, path)
    return cast("NDArray[np.float16]", np.load(path, mmap_mode="r"))


def save(model: AutoencoderOobleck, folder: Path) -> None:
    """Write an autoencoder in diffusers' format, weights in half precision, to be read in single precision."""
    model.save_pretrained(folder)
    halve(folder / "diffusion_pytorch_model.safetensors")


@torch.inference_mode()
def measure(folder: Path, audio: NDArray[np.float16], batch: int = 10) -> dict[str, float]:
    """How far clips [n, S] are from what comes back of them, in dB of log magnitude, and how far from silence."""
    model = oobleck.from_pretrained(str(folder))
    distances: dict[str, list[float]] = {"decoded": [], "silence": []}
    for start in range(0, len(audio), batch):
        clips = torch.from_numpy(audio[start : start + batch].astype(np.float32))
        others = {"decoded": model.decode(model.encode(clips)), "silence": torch.zeros_like(clips)}
        for name, other in others.items():
            levels = [20 * _magnitude(each, WINDOWS[2]).log10() for each in (clips, other)]
            distances[name] += (levels[0] - levels[1]).abs().mean((1, 2)).tolist()
    return {f"{name}_decibels": float(np.mean(values)) for name, values in distances.items()}
