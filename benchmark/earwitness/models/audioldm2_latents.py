"""The latents that an AudioLDM2 pipeline's diffusion runs in, behind the concept track's model interface.

Latents are means of the posterior of a log-mel spectrogram, scaled as the denoiser takes them; a frame is one time step
of the latent picture [C, t, m], all its channels and mel rows side by side. The vocoder makes sound of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.models.audioldm2_files import load_pipeline
from earwitness.models.card_parameters import Guidance, Seconds, Steps
from earwitness.models.latent_frames import LatentFrames, LatentShape
from earwitness.models.pretrained_files import adapter
from earwitness.tracks.concept import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


class AudioLDM2Latents(LatentFrames):
    """The autoencoder of an AudioLDM2 pipeline as a `ConceptModel` whose diffusion can be traced."""

    kinds = (Kind.CONTINUOUS,)

    def __init__(self, source: str, diffusion: AudioLDM2Model) -> None:
        pipeline = diffusion.pipeline
        cell = int(pipeline.vae_scale_factor)
        self.diffusion = diffusion
        self._channels, self._rows = int(pipeline.vae.config.latent_channels), diffusion.bins // cell
        hop = round(diffusion.sample_rate / diffusion.frame_rate)
        frames = LatentShape(diffusion.sample_rate, hop * cell, self._channels * self._rows)
        super().__init__(source, pipeline.vae, frames, diffusion.device)

    def halves(self, module: Any) -> tuple[nn.Module, nn.Module]:
        """The convolutional encoder and decoder."""
        return module.encoder, module.decoder

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Scaled means [B, F, D] of the posterior of audio [B, S]."""
        return _framed(self.diffusion.latents(self.diffusion.mel(audio)))

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D], by the pipeline's vocoder."""
        picture = latents.reshape(*latents.shape[:2], self._channels, self._rows).transpose(1, 2)
        mel = self.diffusion.decode(picture)
        wave: Tensor = self.diffusion.pipeline.vocoder(mel.transpose(1, 2))
        return wave.reshape(len(latents), -1).float()

    def trajectories(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """Clean latents [B, T, F, D] that each step of the generation of a prompt from a seed predicts.

        The last are the generation's own. Raises InvalidItemError where a prompt is too long.
        """
        with torch.no_grad():
            found = self.diffusion.trajectory(self.diffusion.encode(prompts), seeds)
        return _framed(found.flatten(0, 1)).reshape(*found.shape[:2], -1, self.width)


def _framed(picture: Tensor) -> Tensor:
    """Frames [B, t, C m] of latents [B, C, t, m]."""
    return picture.transpose(1, 2).flatten(2)


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    kind: str = Kind.CONTINUOUS,
    steps: Steps = 50,
    guidance: Guidance = 3.5,
    seconds: Seconds | None = None,
) -> AudioLDM2Latents:
    """The pipeline of a hub id or of a folder in its format, in float32, whose traced generations last `seconds`.

    Raises ModelError, in one line, where the pipeline cannot be read, or other latents than continuous ones are asked
    for.
    """
    pipeline = load_pipeline(source, revision, device)
    diffusion = AudioLDM2Model(pipeline, steps=steps, guidance=guidance, strength=1.0, seconds=seconds)
    return AudioLDM2Latents(source, diffusion.scheduled(source)).of_kind(kind)
