"""The parts that an AudioGen's files only name: its text encoder, and a codec of transformers where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError
from earwitness.models.audiogen_files import LANGUAGE
from earwitness.models.musicgen_files import TOKENIZER_FILES
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

    from earwitness.models.audiogen_files import AudiocraftCheckpoint


def place_of(source: str, name: str) -> str:
    """Where a part that a checkpoint names lies: the folder of that name beside its files, if any, else the name."""
    beside = Path(source, name)
    return str(beside) if beside.is_dir() else name


def read_text_encoder(checkpoint: AudiocraftCheckpoint) -> tuple[nn.Module, Any]:
    """T5 encoder and fast tokenizer of a checkpoint's text conditioner, in float32.

    Raises ModelError where they cannot be read: they lie in a folder of their own, or on the hub.
    """
    from transformers import AutoTokenizer, T5EncoderModel

    name, source = checkpoint.model.text_encoder, checkpoint.source
    place = place_of(source, name)
    try:
        with quiet():
            read_config(place, "main", "t5")
            module, report = attempt(
                "weights",
                place,
                lambda: T5EncoderModel.from_pretrained(place, dtype=torch.float32, output_loading_info=True),
            )
            require_tokenizer_file(place, TOKENIZER_FILES)
            tokenizer = attempt("tokenizer", place, lambda: AutoTokenizer.from_pretrained(place))
        require_all(place, module, report)
        settle(place, module)
    except ModelError as error:
        raise ModelError(
            f"the text encoder {name} of {source}: {error}; it may lie in a folder of that name beside {LANGUAGE}"
        ) from error
    require_fast(tokenizer, f"tokenizer of {place}")
    return module, tokenizer


def read_named_codec(checkpoint: AudiocraftCheckpoint, name: str) -> nn.Module:
    """The codec of transformers that a checkpoint names, in float32."""
    from transformers import AutoModel

    import earwitness.models.spectral_codec  # noqa: F401  registers the micro codec with transformers

    place = place_of(checkpoint.source, name)
    try:
        with quiet():
            read_config(place, "main", "encodec", "spectral_codec")
            module, report = attempt(
                "weights",
                place,
                lambda: AutoModel.from_pretrained(place, dtype=torch.float32, output_loading_info=True),
            )
        require_all(place, module, report)
        settle(place, module)
    except ModelError as error:
        raise ModelError(f"the codec {name} of {checkpoint.source}: {error}") from error
    found: nn.Module = module
    return found
