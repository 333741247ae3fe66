"""Reading a Stable Audio pipeline from the hub or from a folder in its format."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from earwitness.errors import ModelError
from earwitness.models.audioldm2_files import INDEX, fetched, quiet_diffusers
from earwitness.models.pretrained_files import at, attempt, quiet, require_modest_parts, require_saved, settle


def cross_layers(denoiser: Any) -> list[nn.Module]:
    """The cross-attention layers of a Stable Audio denoiser, in the order of a pass."""
    layers = [getattr(block, "attn2", None) for block in getattr(denoiser, "transformer_blocks", ())]
    return [layer for layer in layers if layer is not None and layer.is_cross_attention]


def load_pipeline(source: str, revision: str, device: str) -> Any:
    """The pipeline in float32; raises ModelError, in one line, where it cannot be read or is of another kind."""
    from diffusers import DiffusionPipeline, StableAudioPipeline

    folder = Path(source)
    if folder.is_dir() and not (folder / INDEX).is_file():
        raise ModelError(f"{source} holds no {INDEX}: give a folder that a diffusers pipeline was saved to")
    with quiet(), quiet_diffusers(), warnings.catch_warnings():
        # Of arguments that diffusers and torch are about to rename: nothing that a user could change.
        warnings.simplefilter("ignore", FutureWarning)
        config = attempt(
            "index", at(source, revision), lambda: DiffusionPipeline.load_config(source, revision=revision)
        )
        found = config.get("_class_name")
        if found != StableAudioPipeline.__name__:
            raise ModelError(f"{source} holds a {found}, not a StableAudioPipeline; name its own adapter in the task")
        _require_scheduler(source, config)
        folder = fetched(source, revision, StableAudioPipeline)
        require_modest_parts(source, folder)
        pipeline = attempt(
            "pipeline",
            source,
            lambda: StableAudioPipeline.from_pretrained(folder, torch_dtype=torch.float32, low_cpu_mem_usage=False),
        )
    if not getattr(pipeline.tokenizer, "is_fast", False):
        raise ModelError(f"the T5 tokenizer of {source} cannot say which characters a token covers; save a fast one")
    if not hasattr(pipeline.scheduler, "precondition_outputs"):
        raise ModelError(f"the scheduler of {source} is no EDM one, {type(pipeline.scheduler).__name__}; save another")
    require_saved(source, folder / "transformer", pipeline.transformer)
    for name, part in pipeline.components.items():
        if isinstance(part, nn.Module):
            settle(source, part, name)
            part.to(device).requires_grad_(False).eval()
    return pipeline


def _require_scheduler(source: str, config: Any) -> None:
    """Raise ModelError where the pipeline's scheduler needs a package that is not installed."""
    import diffusers
    from diffusers.utils import is_torchsde_available

    name = str(config["scheduler"][1])
    known = getattr(diffusers, name, None)
    if "torchsde" in getattr(known, "_backends", ()) and not is_torchsde_available():
        raise ModelError(f"the scheduler of {source}, {name}, needs torchsde; install it: pip install torchsde")
