"""Training of the small AutoencoderKL between log-mel spectrograms and latents."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from earwitness.authoring.training.clips import StemClips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit

STEPS, BATCH, LEARNING_RATE = 1400, 16, 2e-3
KL_WEIGHT = 1e-4
LATENTS = 8
"""Channels of the latents, as cvssp/audioldm2 has them; a latent cell covers 4 frames by 4 mel bins."""


def compose_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder of 0.2 M parameters."""
    widths = (16, 24, 32)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=LATENTS,
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def train_autoencoder(clips: StemClips, seed: int, checkpoint: TrainingCheckpoint) -> tuple[AutoencoderKL, float]:
    """A trained autoencoder whose latents, times its scaling factor, have variance 1; and the seconds it took."""
    torch.manual_seed(seed)
    model = compose_autoencoder()

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        mel = clips.mel_batch(rng, BATCH)
        posterior = model.encode(mel).latent_dist
        noise = torch.from_numpy(rng.standard_normal(posterior.mean.shape, dtype=np.float32))
        error = model.decode(posterior.mean + posterior.std * noise).sample - mel
        divergence: Tensor = posterior.kl().mean() / posterior.mean[0].numel()
        total: Tensor = error.abs().mean() + 0.5 * error.square().mean() + KL_WEIGHT * divergence
        return total

    seconds = fit(model, loss, TrainingPlan("autoencoder", STEPS, LEARNING_RATE, seed), checkpoint)
    model.register_to_config(scaling_factor=float(1 / latents_of(model, clips.mels[:500]).std()))
    return model, seconds


@torch.inference_mode()
def latents_of(model: AutoencoderKL, mels: np.ndarray, batch: int = 50) -> Tensor:
    """Means [n, C, t, m] of the latents of log-mel spectrograms [n, T, M], not scaled."""
    parts = [
        model.encode(torch.from_numpy(mels[start : start + batch].astype(np.float32))[:, None]).latent_dist.mean
        for start in range(0, len(mels), batch)
    ]
    return torch.cat(parts)
