"""Reading a MusicGen from the hub or from a folder in its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError, short
from earwitness.models.card_parameters import LONGEST
from earwitness.models.pretrained_files import (
    attempt,
    quiet,
    read_config,
    require_all,
    require_tokenizer_file,
    settle,
)
from earwitness.models.prompt_tokens import require_fast

if TYPE_CHECKING:
    from torch import nn

    from earwitness.models.card_parameters import Dtype

CODEC = "audio_encoder"
"""Name of the part that makes sound of codes."""
TOKENIZER_FILES = ("tokenizer.json", "spiece.model")


def load_parts(source: str, revision: str, device: str, dtype: Dtype = "float32") -> tuple[nn.Module, Any]:
    """Module, its codec in float32 and the rest in a dtype, and tokenizer.

    Raises ModelError where one of them is missing or of another kind.
    """
    from transformers import AutoTokenizer, MusicgenForConditionalGeneration

    import earwitness.models.spectral_codec  # noqa: F401  registers the micro codec with transformers

    with quiet():
        config = read_config(source, revision, "musicgen")
        _require_mono(source, config)
        _require_start(source, config)
        module, report = attempt(
            "weights",
            source,
            lambda: MusicgenForConditionalGeneration.from_pretrained(
                source, revision=revision, dtype=torch.float32, output_loading_info=True
            ),
        )
        require_tokenizer_file(source, TOKENIZER_FILES)
        tokenizer = attempt("tokenizer", source, lambda: AutoTokenizer.from_pretrained(source, revision=revision))
    require_all(source, module, report)
    settle(source, module)
    require_fast(tokenizer, f"tokenizer of {source}")
    for name, part in module.named_children():
        part.to(torch.float32 if name == CODEC else getattr(torch, dtype))
    return module.to(device), tokenizer


def generation_frames(source: str, module: Any, seconds: float | None) -> int:
    """F of a generation of `seconds`, or of the length in the generation config.

    Raises ModelError where neither says it, or where it is beyond five minutes.

    The generation config counts decoding steps, the K - 1 that the delay pattern adds included; its `max_length`, like
    its `max_new_tokens`, comes on top of the start step.
    """
    rate = float(module.config.audio_encoder.frame_rate)
    if seconds is not None:
        return frames_of(source, seconds, rate)
    default = module.generation_config
    steps = default.max_new_tokens or default.max_length or 0
    if not isinstance(steps, int):
        raise ModelError(
            f"the generation settings of {source} (generation_config.json): a length must be a number of steps, "
            f"not {short(repr(steps))[:80]}"
        )
    frames = steps - int(module.config.decoder.num_codebooks) + 1
    if frames < 1:
        raise ModelError(
            f"{source} does not say how long a generation is; set `seconds` in the task's model parameters"
        )
    return _bounded(source, frames, rate)


def frames_of(source: str, seconds: float, rate: float) -> int:
    """F of a generation of `seconds` at a rate of frames a second; raises ModelError where it is 0, or too long."""
    frames = round(seconds * rate)
    if frames < 1:
        raise ModelError(f"{source} makes {rate:g} frames a second, and {seconds:g} s hold none; ask for more")
    return _bounded(source, frames, rate)


def _bounded(source: str, frames: int, rate: float) -> int:
    if frames > LONGEST * rate:
        raise ModelError(
            f"{source} asks for generations of {frames / rate:.3g} s, beyond {LONGEST} s; set `seconds` in the task's "
            "model parameters"
        )
    return frames


def _require_mono(source: str, config: Any) -> None:
    if config.decoder.audio_channels != 1:
        raise ModelError(
            f"{source} is a stereo MusicGen, which no adapter reads; take its mono counterpart, such as "
            "facebook/musicgen-small"
        )


def _require_start(source: str, config: Any) -> None:
    """Raise ModelError unless the decoder has a code to start with, its padding, which is one beyond the codebook."""
    start, codes = config.decoder.pad_token_id, config.decoder.vocab_size
    if not isinstance(start, int) or not 0 <= start <= codes:
        raise ModelError(
            f"the configuration of {source} has decoder.pad_token_id = {short(repr(start))[:80]}, with which a "
            f"generation starts; it is {codes} in a MusicGen of {codes} codes"
        )
