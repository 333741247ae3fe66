"""Reading a speech-to-text encoder-decoder from the hub or from a folder in its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from earwitness.errors import ModelError
from earwitness.models.pretrained_files import attempt, quiet, require_all, require_tokenizer_file

if TYPE_CHECKING:
    from torch import nn

TOKENIZER_FILES = ("tokenizer.json", "sentencepiece.bpe.model", "vocab.json")


class Parts(NamedTuple):
    """What a folder of a speech-to-text model holds."""

    module: nn.Module
    tokenizer: Any
    extractor: Any


def load_speech_parts(source: str, revision: str, device: str, kind: str) -> Parts:
    """Module in float32, tokenizer and feature extractor; raises ModelError where one is missing or of another kind.

    `kind` is the model type of the configuration: speech_to_text or whisper.
    """
    from transformers import AutoConfig, AutoModelForSpeechSeq2Seq, AutoTokenizer
    from transformers import AutoFeatureExtractor as Untyped

    extractors: Any = Untyped
    with quiet():
        config = attempt("configuration", source, lambda: AutoConfig.from_pretrained(source, revision=revision))
        if config.model_type != kind:
            raise ModelError(
                f"{source} is a {config.model_type} model, not a {kind} one; choose the adapter of that family"
            )
        require_tokenizer_file(source, TOKENIZER_FILES)
        module, report = attempt(
            "weights",
            source,
            lambda: AutoModelForSpeechSeq2Seq.from_pretrained(
                source, revision=revision, dtype=torch.float32, output_loading_info=True
            ),
        )
        tokenizer = attempt("tokenizer", source, lambda: AutoTokenizer.from_pretrained(source, revision=revision))
        extractor = attempt("feature extractor", source, lambda: extractors.from_pretrained(source, revision=revision))
    require_all(source, report)
    return Parts(module.to(device), tokenizer, extractor)
