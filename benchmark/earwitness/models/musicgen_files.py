"""Reading a MusicGen from the hub or from a folder in its format."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

TOKENIZER_FILES = ("tokenizer.json", "spiece.model")


def load_parts(source: str, revision: str, device: str) -> tuple[nn.Module, Any]:
    """Module and tokenizer, in float32; raises ModelError where one of them is missing or of another kind."""
    from transformers import AutoConfig, AutoTokenizer, MusicgenForConditionalGeneration

    import earwitness.models.spectral_codec  # noqa: F401  registers the micro codec with transformers

    with _quiet():
        config = _attempt("configuration", source, lambda: AutoConfig.from_pretrained(source, revision=revision))
        _require_mono_musicgen(source, config)
        module, report = _attempt(
            "weights",
            source,
            lambda: MusicgenForConditionalGeneration.from_pretrained(
                source, revision=revision, dtype=torch.float32, output_loading_info=True
            ),
        )
        _require_tokenizer_file(source)
        tokenizer = _attempt("tokenizer", source, lambda: AutoTokenizer.from_pretrained(source, revision=revision))
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(f"the weights of {source} lack {len(absent)} tensors, {absent[0]} first; save the model again")
    if not tokenizer.is_fast:
        raise ModelError(f"the tokenizer of {source} cannot say which characters a token covers; save a fast tokenizer")
    return module.to(device), tokenizer


def generation_frames(source: str, module: Any, seconds: float | None) -> int:
    """F of a generation of `seconds`, or of the length in the generation config; raises ModelError where it is unknown.

    The generation config counts decoding steps, the K - 1 that the delay pattern adds included; its `max_length`, like
    its `max_new_tokens`, comes on top of the start step.
    """
    if seconds is not None:
        frames = round(seconds * float(module.config.audio_encoder.frame_rate))
    else:
        default = module.generation_config
        steps = default.max_new_tokens or default.max_length or 0
        frames = int(steps) - int(module.config.decoder.num_codebooks) + 1
    if frames < 1:
        raise ModelError(
            f"{source} does not say how long a generation is; set `seconds` in the task's model parameters"
        )
    return frames


def _require_mono_musicgen(source: str, config: Any) -> None:
    if config.model_type != "musicgen":
        raise ModelError(
            f"{source} is a {config.model_type} model, not a musicgen one; choose the adapter of that family"
        )
    if config.decoder.audio_channels != 1:
        raise ModelError(f"{source} is a stereo MusicGen, which this adapter does not read; use its mono counterpart")


def _require_tokenizer_file(source: str) -> None:
    # Without one transformers builds an empty tokenizer of the text encoder's family, to which every word is unknown.
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(f"{source} holds no tokenizer ({' or '.join(TOKENIZER_FILES)}); save it beside the weights")


def _attempt(part: str, source: str, read: Any) -> Any:
    # Broad, since transformers, huggingface_hub and safetensors each raise errors of their own for one bad folder.
    try:
        return read()
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"cannot read the {part} of the model {source}: {reason}; give a folder in the hub's format, or a hub id "
            "that can be reached"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    from transformers.utils import logging as untyped

    logging: Any = untyped

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
