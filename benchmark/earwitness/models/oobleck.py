"""Oobleck autoencoders (Evans et al., arXiv 2402.04825) behind the concept track's model interface.

In diffusers' format, as Stable Audio has them, or as one TorchScript file with the methods `encode_export` and
`decode_export`, as DiffRhythm's (Ning et al., arXiv 2503.01183). Latents are the posterior's means, which neither
library scales.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import torch
from pydantic import Field
from torch import nn

from earwitness.errors import ModelError
from earwitness.models.latent_frames import LatentFrames, LatentShape, frame_shape, frozen
from earwitness.models.pipeline_files import INDEX, quiet_diffusers
from earwitness.models.pretrained_files import (
    adapter,
    at,
    attempt,
    other_class,
    quiet,
    require_all,
    require_finite,
    require_modest,
    table,
)
from earwitness.tracks.concept import Kind

if TYPE_CHECKING:
    from torch import Tensor

SCRIPT = "vae_model.pt"
"""Name of DiffRhythm's TorchScript file."""
EXPORTED = ("encode_export", "decode_export")
SampleRate = Annotated[int, Field(ge=1000, le=1_000_000)]
Channels = Annotated[int, Field(ge=1, le=64)]


class OobleckLatents(LatentFrames):
    """An AutoencoderOobleck as a `ConceptModel`; a mono clip goes into every channel and comes back as their mean."""

    kinds = (Kind.CONTINUOUS,)

    def __init__(self, source: str, module: Any, device: torch.device) -> None:
        config = module.config
        frames = LatentShape(config.sampling_rate, module.hop_length, config.decoder_input_channels)
        super().__init__(source, module, frames, device)
        self.channels = int(config.audio_channels)
        self._autoencoder = module

    def halves(self, module: Any) -> tuple[nn.Module, nn.Module]:
        """The convolutional encoder and decoder."""
        return module.encoder, module.decoder

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Means [B, F, D] of the posterior of audio [B, S]."""
        mean: Tensor = self._autoencoder.encode(_spread(audio, self.channels)).latent_dist.mode()
        return mean.transpose(1, 2)

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]."""
        audio: Tensor = self._autoencoder.decode(latents.transpose(1, 2)).sample
        return audio.mean(1)


class ScriptedLatents(LatentFrames):
    """A TorchScript autoencoder with `encode_export` and `decode_export` as a `ConceptModel`.

    `encode_export` takes audio [B, channels, S] to means and scales [B, 2 D, F], `decode_export` takes latents
    [B, D, F] to audio [B, channels, S].
    """

    kinds = (Kind.CONTINUOUS,)

    def __init__(self, source: str, script: Any, device: torch.device, sample_rate: int, channels: int) -> None:
        self.channels = channels
        self._encoder, self._decoder = (_Exported(script, name) for name in EXPORTED)

        def there(audio: Tensor) -> Tensor:
            return self.latents(audio.to(device), Kind.CONTINUOUS)

        samples, width = frame_shape(source, there, self.audio)
        super().__init__(source, script, LatentShape(sample_rate, samples, width), device)

    def halves(self, module: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The two exported methods, as modules."""
        return self._encoder, self._decoder

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Means [B, F, D] of the posterior of audio [B, S]."""
        found: Tensor = self._encoder(_spread(audio, self.channels))
        return found.chunk(2, dim=1)[0].transpose(1, 2)

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]."""
        audio: Tensor = self._decoder(latents.transpose(1, 2))
        return audio.mean(1)


class _Exported(nn.Module):
    """A method of a script as a module, so that its runs can be hooked: those of a script's methods cannot."""

    def __init__(self, script: Any, name: str) -> None:
        super().__init__()
        self._method = getattr(script, name)

    def forward(self, given: Tensor) -> Tensor:
        found: Tensor = self._method(given)
        return found


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    kind: str = Kind.CONTINUOUS,
    subfolder: str = "",
    script: str = "",
    sample_rate: SampleRate = 44_100,
    channels: Channels = 2,
) -> LatentFrames:
    """The autoencoder of a hub id or of a folder in its format, in float32; it has latents of one kind, continuous.

    `subfolder` is where a pipeline keeps it ("vae", taken of itself where a folder is a pipeline). `script` names a
    TorchScript file of the folder or of the hub id instead (`vae_model.pt`, taken of itself where the folder has no
    configuration; a source may also be the file); its sample rate in Hz and its channels no such file says, so that
    they are given, DiffRhythm's unless others are.

    Raises ModelError, in one line, where no such autoencoder can be read, or another kind of latents is asked for.
    """
    place = Path(source)
    if place.is_file():
        return _scripted(source, place, device, sample_rate, channels).of_kind(kind)
    if place.is_dir() and not script and not subfolder:
        subfolder = "vae" if (place / INDEX).is_file() else ""
        if not subfolder and not (place / "config.json").is_file() and (place / SCRIPT).is_file():
            script = SCRIPT
    if script:
        return _scripted(source, _script_file(source, revision, script), device, sample_rate, channels).of_kind(kind)
    module = frozen(_read(source, revision, subfolder), device)
    return OobleckLatents(source, module, torch.device(device)).of_kind(kind).tried()


def _read(source: str, revision: str, subfolder: str) -> nn.Module:
    from diffusers import AutoencoderOobleck

    folder = Path(source) / subfolder
    if Path(source).is_dir() and not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds no config.json and no {SCRIPT}: give a folder that an AutoencoderOobleck was saved to, "
            "or that of a TorchScript autoencoder"
        )
    where = {"revision": revision, **({"subfolder": subfolder} if subfolder else {})}
    with quiet(), quiet_diffusers():
        config = attempt(
            "configuration", at(source, revision), lambda: table(AutoencoderOobleck.load_config(source, **where))
        )
        require_modest(source, config)
        found = config.get("_class_name") or config.get("model_type") or "model of no named class"
        if found != AutoencoderOobleck.__name__:
            raise other_class(source, found, AutoencoderOobleck.__name__)
        module, report = attempt(
            "weights",
            source,
            lambda: AutoencoderOobleck.from_pretrained(
                source, torch_dtype=torch.float32, low_cpu_mem_usage=False, output_loading_info=True, **where
            ),
        )
    require_all(source, module, report, Path(source, subfolder))
    require_finite(source, module)
    return cast("nn.Module", module)


def _script_file(source: str, revision: str, script: str) -> Path:
    if Path(source).is_dir():
        path = Path(source) / script
        if not path.is_file():
            raise ModelError(f"{source} holds no {script}; name its TorchScript file as `script` in the task's model")
        return path
    from huggingface_hub import hf_hub_download

    return Path(attempt("script", at(source, revision), lambda: hf_hub_download(source, script, revision=revision)))


def _scripted(source: str, path: Path, device: str, sample_rate: int, channels: int) -> LatentFrames:
    script = attempt("script", source, lambda: torch.jit.load(str(path), map_location=device))  # type: ignore[no-untyped-call]
    lacking = [name for name in EXPORTED if not hasattr(script, name)]
    if lacking:
        raise ModelError(
            f"the TorchScript file {path} has no method {lacking[0]}; export one with {', '.join(EXPORTED)}"
        )
    require_finite(source, script)
    return ScriptedLatents(source, frozen(script, device), torch.device(device), sample_rate, channels)


def _spread(audio: Tensor, channels: int) -> Tensor:
    """Audio [B, channels, S] that has a clip [B, S] in every channel."""
    return audio[:, None].repeat(1, channels, 1)
