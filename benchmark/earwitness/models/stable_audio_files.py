"""Reading a Stable Audio pipeline from the hub or from a folder in its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError
from earwitness.models.pipeline_files import read_index, read_pipeline, settled
from earwitness.models.prompt_tokens import require_fast

if TYPE_CHECKING:
    from torch import nn


def cross_layers(denoiser: Any) -> list[nn.Module]:
    """The cross-attention layers of a Stable Audio denoiser, in the order of a pass."""
    layers = [getattr(block, "attn2", None) for block in getattr(denoiser, "transformer_blocks", ())]
    return [layer for layer in layers if layer is not None and layer.is_cross_attention]


def load_pipeline(source: str, revision: str, device: str) -> Any:
    """The pipeline in float32; raises ModelError, in one line, where it cannot be read or is of another kind."""
    from diffusers import StableAudioPipeline

    index = read_index(source, revision, StableAudioPipeline)
    _require_scheduler(source, index["scheduler"][1])
    pipeline = read_pipeline(source, revision, StableAudioPipeline, index)
    require_fast(pipeline.tokenizer, f"T5 tokenizer of {source}")
    if not hasattr(pipeline.scheduler, "precondition_outputs"):
        raise ModelError(f"the scheduler of {source} is no EDM one, {type(pipeline.scheduler).__name__}; save another")
    return settled(source, pipeline, device)


def _require_scheduler(source: str, name: str) -> None:
    """Raise ModelError where the pipeline's scheduler needs a package that is not installed."""
    import diffusers
    from diffusers.utils import is_torchsde_available

    known = getattr(diffusers, name, None)
    if "torchsde" in getattr(known, "_backends", ()) and not is_torchsde_available():
        raise ModelError(f"the scheduler of {source}, {name}, needs torchsde; install it: pip install torchsde")
