"""EnCodec (Defossez et al., arXiv 2210.13438) in transformers' format, behind the concept track's model interface.

Also reads our spectral codec, and either of them as the audio encoder of a MusicGen, whose folder then serves both
tracks: nothing is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import torch
from pydantic import Field

from earwitness.errors import ModelError
from earwitness.models.latent_frames import LatentFrames, LatentShape, frozen
from earwitness.models.pretrained_files import (
    adapter,
    attempt,
    other_family,
    quiet,
    read_config,
    require_all,
    settle,
)
from earwitness.models.spectral_codec import SpectralCodec, SpectralCodecConfig
from earwitness.tracks.concept import Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

Bandwidth = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Thousand bits per second."""


class EncodecLatents(LatentFrames):
    """An EncodecModel as a `ConceptModel`: what its quantiser is given, or what its codes stand for."""

    def __init__(self, source: str, module: Any, device: torch.device, bandwidth: float) -> None:
        config = module.config
        super().__init__(
            source, module, LatentShape(config.sampling_rate, config.hop_length, config.hidden_size), device
        )
        self.bandwidth = bandwidth
        """Of the codes, in thousand bits per second; it says how many codebooks quantise."""
        self._codec = module

    def halves(self, module: Any) -> tuple[nn.Module, nn.Module]:
        """SEANet's encoder and decoder."""
        return module.encoder, module.decoder

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Latents [B, F, D] of audio [B, S] of whole frames."""
        found: Tensor = self._codec.encoder(audio[:, None])
        if kind is Kind.QUANTISED:
            quantiser = self._codec.quantizer
            found = quantiser.decode(quantiser.encode(found, self.bandwidth))
        return found.transpose(1, 2)

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]."""
        audio: Tensor = self._codec.decoder(latents.transpose(1, 2))
        return audio[:, 0]


class SpectralLatents(LatentFrames):
    """A SpectralCodec as a `ConceptModel`."""

    def __init__(self, source: str, module: SpectralCodec, device: torch.device) -> None:
        config = module.config
        super().__init__(
            source, module, LatentShape(config.sampling_rate, config.frame_length, config.codebook_dim), device
        )
        self._codec = module

    def halves(self, module: Any) -> tuple[nn.Module, nn.Module]:
        """The networks between log magnitudes and latents."""
        return module.encoder, module.decoder

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Latents [B, F, D] of audio [B, S] of whole frames."""
        found = self._codec.latents(audio)
        if kind is Kind.QUANTISED:
            found = self._codec.quantiser.decode(self._codec.quantise(found))
        return found

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]."""
        return self._codec.waveform(self._codec.decode_latents(latents))


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    kind: str = Kind.CONTINUOUS,
    bandwidth: Bandwidth | None = None,
) -> LatentFrames:
    """The codec of a hub id or of a folder in its format, in float32.

    It may be an EncodecModel, a SpectralCodec or a MusicGen with either. `kind` says which of its latents a task's
    items are of. `bandwidth` is one of EnCodec's, in thousand bits per second; the smallest unless given, as
    transformers has it. Raises ModelError, in one line, where the codec cannot be read, has no such latents, or where
    its latents alone do not say the sound.
    """
    from transformers import EncodecConfig

    with quiet():
        whole = read_config(source, revision, "encodec", "musicgen", "spectral_codec")
        config = whole.audio_encoder if whole.model_type == "musicgen" else whole
        if not isinstance(config, EncodecConfig | SpectralCodecConfig):
            raise other_family(source, config.model_type, "encodec")
        rate = None if isinstance(config, SpectralCodecConfig) else _bandwidth(source, config, bandwidth)
        if rate is None and bandwidth is not None:
            raise ModelError(f"{source} has one bandwidth; leave `bandwidth` out of the task's model parameters")
        module = frozen(_read(source, revision, config, within=config is not whole), device)
    place = torch.device(device)
    if rate is None:
        return SpectralLatents(source, cast("SpectralCodec", module), place).of_kind(kind).tried()
    return EncodecLatents(source, module, place, rate).of_kind(kind).tried()


def _read(source: str, revision: str, config: Any, *, within: bool) -> nn.Module:
    """A codec's module; `within` a MusicGen, whose other weights are not read."""
    from transformers import AutoModel

    part = {"key_mapping": {r"^audio_encoder\.": ""}} if within else {}
    module, report = attempt(
        "weights",
        source,
        lambda: AutoModel.from_pretrained(
            source, config=config, revision=revision, dtype=torch.float32, output_loading_info=True, **part
        ),
    )
    require_all(source, module, report)
    settle(source, module)
    return cast("nn.Module", module)


def _bandwidth(source: str, config: Any, bandwidth: float | None) -> float:
    """The bandwidth to quantise at; raises ModelError where there is none such, or where latents need a scale."""
    if config.normalize or config.chunk_length_s is not None or config.audio_channels != 1:
        raise ModelError(
            f"{source} encodes normalised, overlapping or stereo chunks, whose latents lack their loudness; "
            "take a mono EnCodec, such as facebook/encodec_24khz"
        )
    offered = [float(each) for each in config.target_bandwidths]
    if bandwidth is not None and bandwidth not in offered:
        raise ModelError(
            f"{source} has no bandwidth {bandwidth:g}; choose one of {', '.join(f'{each:g}' for each in offered)}"
        )
    return offered[0] if bandwidth is None else float(bandwidth)
