"""Reading a speech-to-text encoder-decoder from the hub or from a folder in its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
from pydantic import Field

from earwitness.models.pretrained_files import (
    attempt,
    quiet,
    read_config,
    require_all,
    require_tokenizer_file,
    settle,
)

if TYPE_CHECKING:
    from torch import nn

    from earwitness.models.card_parameters import Dtype

TOKENIZER_FILES = ("tokenizer.json", "sentencepiece.bpe.model", "vocab.json")
MaxTokens = Annotated[int, Field(ge=1, le=100_000)]
"""Bound of a transcript; the decoder's own positions bound it, too."""


class Parts(NamedTuple):
    """What a folder of a speech-to-text model holds."""

    module: nn.Module
    tokenizer: Any
    extractor: Any


def load_speech_parts(source: str, revision: str, device: str, kind: str, dtype: Dtype = "float32") -> Parts:
    """Module, tokenizer and feature extractor; raises ModelError where one is missing or of another kind.

    `kind` is the model type of the configuration: speech_to_text or whisper.
    """
    from transformers import AutoFeatureExtractor as Untyped
    from transformers import AutoModelForSpeechSeq2Seq, AutoTokenizer

    extractors: Any = Untyped
    with quiet():
        read_config(source, revision, kind)
        require_tokenizer_file(source, TOKENIZER_FILES)
        module, report = attempt(
            "weights",
            source,
            lambda: AutoModelForSpeechSeq2Seq.from_pretrained(
                source, revision=revision, dtype=getattr(torch, dtype), output_loading_info=True
            ),
        )
        tokenizer = attempt("tokenizer", source, lambda: AutoTokenizer.from_pretrained(source, revision=revision))
        extractor = attempt("feature extractor", source, lambda: extractors.from_pretrained(source, revision=revision))
    require_all(source, module, report)
    settle(source, module)
    return Parts(module.to(device), tokenizer, extractor)
