"""WavTokenizer (Ji et al., arXiv 2408.16532) from the user's own install, behind the concept track's model interface.

Its code is not packaged: a checkout on the path has `decoder.pretrained`, a fork of it may put that into a package.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from earwitness.errors import ModelError
from earwitness.models.latent_frames import LatentFrames, LatentShape, frame_shape, frozen
from earwitness.models.pretrained_files import adapter, at, attempt, require_finite
from earwitness.tracks.concept import Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

PLACES = ("wavtokenizer.decoder.pretrained", "decoder.pretrained")
"""Modules that may hold its class, tried in this order."""
BandwidthId = Annotated[int, Field(ge=0, le=1000)]


class WavTokenizerLatents(LatentFrames):
    """A WavTokenizer as a `ConceptModel`: what its quantiser is given, or what its codes stand for."""

    def __init__(self, source: str, module: Any, device: torch.device, bandwidth_id: int = 0) -> None:
        self._tokenizer = module
        self._bandwidth = torch.tensor([bandwidth_id], device=device)

        def there(audio: Tensor) -> Tensor:
            return self.latents(audio.to(device), Kind.QUANTISED)

        samples, width = frame_shape(source, there, self.audio)
        rate = int(module.feature_extractor.encodec.sample_rate)
        super().__init__(source, module, LatentShape(rate, samples, width), device)

    def halves(self, module: Any) -> tuple[nn.Module, nn.Module]:
        """The convolutional encoder, and the backbone before the Fourier head."""
        return module.feature_extractor.encodec.encoder, module.backbone

    def latents(self, audio: Tensor, kind: Kind) -> Tensor:
        """Latents [B, F, D] of audio [B, S] of whole frames; the quantised ones bring no gradient."""
        if kind is Kind.CONTINUOUS:
            found: Tensor = self._tokenizer.feature_extractor.encodec.encoder(audio[:, None])
        else:
            _, codes = self._tokenizer.encode_infer(audio, bandwidth_id=self._bandwidth)
            # A copy, since its methods run in inference mode and such tensors bear no gradient later.
            found = self._tokenizer.codes_to_features(codes).clone()
        return found.transpose(1, 2)

    def audio(self, latents: Tensor) -> Tensor:
        """Audio [B, S] of latents [B, F, D]; the two steps of its `decode`, which would stop gradients."""
        states = self._tokenizer.backbone(latents.transpose(1, 2), bandwidth_id=self._bandwidth)
        audio: Tensor = self._tokenizer.head(states)
        return audio


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    kind: str = Kind.CONTINUOUS,
    bandwidth_id: BandwidthId = 0,
) -> WavTokenizerLatents:
    """The WavTokenizer of a hub id or of a folder: one .yaml configuration and one .ckpt checkpoint beside it.

    `kind` says which of its latents a task's items are of; `bandwidth_id` is the index that its methods take. Raises
    ModelError, in one line, where the install or the files are missing, or it has no such latents.
    """
    tokenizer = _installed()
    if not Path(source).is_dir():
        source = _fetch(source, revision)
    config, weights = (_only(source, ending) for ending in ("yaml", "ckpt"))
    # It prints what it has loaded.
    with contextlib.redirect_stdout(io.StringIO()):
        module = attempt("checkpoint", source, lambda: tokenizer.from_pretrained0802(config, weights))
    require_finite(source, module)
    return WavTokenizerLatents(source, frozen(module, device), torch.device(device), bandwidth_id).of_kind(kind)


def _installed() -> Any:
    """The class; raises ModelError where it is not installed, or its own imports fail."""
    for name in PLACES:
        try:
            return importlib.import_module(name).WavTokenizer
        except ImportError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ModelError(
                    f"the installed WavTokenizer cannot be imported from {name}: {error}; install what it needs"
                ) from error
        except AttributeError:
            continue
    raise ModelError(
        "WavTokenizer is not installed: clone github.com/jishengpeng/WavTokenizer and add the clone to PYTHONPATH"
    )


def _fetch(source: str, revision: str) -> str:
    from huggingface_hub import snapshot_download

    patterns = ["*.yaml", "*.ckpt"]
    found = attempt(
        "files", at(source, revision), lambda: snapshot_download(source, revision=revision, allow_patterns=patterns)
    )
    return str(found)


def _only(source: str, ending: str) -> str:
    found = sorted(Path(source).glob(f"*.{ending}"))
    if len(found) != 1:
        raise ModelError(f"{source} holds {len(found)} .{ending} files; keep the one of this model alone")
    return str(found[0])
