"""What the adapters of audio autoencoders have in common: whole frames, kinds of latents, channels and cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from earwitness.errors import ModelError
from earwitness.tracks.concept import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class LatentShape:
    """Shape of an autoencoder's latents."""

    sample_rate: int
    """Hz."""
    samples: int
    """Of the audio, in a latent frame."""
    width: int
    """D."""


class LatentFrames(ABC):
    """An audio autoencoder as a `ConceptModel`; a family says how its latents are made and decoded."""

    def __init__(self, source: str, module: nn.Module, frames: LatentShape, device: torch.device) -> None:
        self.module = module
        self.device = device
        self.sample_rate, self.width = frames.sample_rate, frames.width
        self.frame_rate = frames.sample_rate / frames.samples
        self.metered: nn.Module = HalfPasses(self.halves(module))
        self._source = source
        self._samples = frames.samples

    kinds: tuple[Kind, ...] = (Kind.CONTINUOUS, Kind.QUANTISED)
    kind: Kind = Kind.CONTINUOUS

    def of_kind(self, kind: str) -> Self:
        """This model, with a task's items made of its latents of a kind; raises ModelError where it has none such."""
        self.kind = self._own(kind)
        return self

    def tried(self) -> Self:
        """This model, once it has encoded and decoded a frame of silence; raises ModelError where it cannot."""
        frame_shape(self._source, lambda audio: self.encode(audio[:, : self._samples], self.kind), self.decode)
        return self

    @abstractmethod
    def halves(self, module: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The encoder and the decoder, which a meter counts the runs of."""

    @abstractmethod
    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Latents [B, F, D] of audio [B, S] of whole frames."""

    @abstractmethod
    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S'] of latents [B, F, D], S' about F frames long."""

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Half a pass for each clip that went through the encoder or through the decoder."""
        rows: int = kwargs["rows"]
        return rows / 2

    def encode(self, audio: Tensor, kind: Kind = Kind.CONTINUOUS) -> Tensor:
        """Latents [B, F, D] of audio [B, S] in [-1, 1], S padded with silence to whole frames.

        Raises ModelError where the audio has another shape or the model no latents of that kind.
        """
        kind = self._own(kind)
        if audio.ndim != 2 or not audio.shape[1]:
            raise ModelError(f"audio must be [B, S] with S at least 1, not {list(audio.shape)}; give mono clips")
        audio = nn.functional.pad(audio.to(self.device), (0, -audio.shape[1] % self._samples))
        return self.latents(audio, kind)

    def decode(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D] of either kind, as they are: nothing is quantised again.

        S is F whole frames. Raises ModelError where the latents have another shape.
        """
        if latents.ndim != 3 or latents.shape[2] != self.width or not latents.shape[1]:
            raise ModelError(
                f"latents must be [B, F, {self.width}] with F at least 1, not {list(latents.shape)}; "
                "give latents of this model"
            )
        samples = latents.shape[1] * self._samples
        audio = self.audio(latents.to(self.device))[:, :samples]
        # Transposed convolutions of an odd stride give a few samples less than whole frames.
        return nn.functional.pad(audio, (0, samples - audio.shape[1]))

    def _own(self, kind: str) -> Kind:
        if kind not in self.kinds:
            raise ModelError(
                f"{self._source} has no {kind!s} latents; choose among its own kinds: {', '.join(self.kinds)}"
            )
        return Kind(kind)


class HalfPasses(nn.Module):
    """Called with the output of every run of an encoder or a decoder and its rows, for a meter to hook."""

    def __init__(self, halves: Iterable[nn.Module]) -> None:
        """Hook the halves, which stay outside this module."""
        super().__init__()
        for half in halves:
            half.register_forward_hook(self._ran, with_kwargs=True)

    def forward(self, output: Any, rows: int) -> Any:
        """The output, as it came."""
        return output

    def _ran(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        given: Tensor = args[0] if args else next(iter(kwargs.values()))
        self(output, rows=len(given))


def frame_shape(source: str, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]) -> tuple[int, int]:
    """Samples and width of a frame, found by sending about a second of silence there and back.

    `encode` takes [1, S] to latents [1, F, D] and `decode` takes these to [1, S']; raises ModelError, in one line,
    where they do not, or where S' is no whole number of frames.
    """
    try:
        with torch.no_grad():
            latents = encode(torch.zeros(1, 3 << 14))
            frames, samples = latents.shape[1], decode(latents).shape[1]
    # Broad, since another's code can fail in any way.
    except Exception as error:
        reason = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"{source} cannot encode and decode silence: {reason}; is it of this family?") from error
    if samples % frames:
        raise ModelError(f"{source} decodes {frames} frames to {samples} samples, which is no whole number a frame")
    return samples // frames, latents.shape[2]


def frozen(module: nn.Module, device: str) -> nn.Module:
    """The module on a device, in evaluation mode, its weights without gradients."""
    for weight in module.parameters():
        weight.requires_grad_(False)
    return module.to(device).eval()
