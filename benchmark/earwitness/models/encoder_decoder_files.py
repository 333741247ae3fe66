"""Reading a speech-to-text encoder-decoder from the hub or from a folder in its format."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from earwitness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        config = _attempt("configuration", source, lambda: AutoConfig.from_pretrained(source, revision=revision))
        if config.model_type != kind:
            raise ModelError(
                f"{source} is a {config.model_type} model, not a {kind} one; choose the adapter of that family"
            )
        _require_tokenizer_file(source)
        module, report = _attempt(
            "weights",
            source,
            lambda: AutoModelForSpeechSeq2Seq.from_pretrained(
                source, revision=revision, dtype=torch.float32, output_loading_info=True
            ),
        )
        tokenizer = _attempt("tokenizer", source, lambda: AutoTokenizer.from_pretrained(source, revision=revision))
        extractor = _attempt("feature extractor", source, lambda: extractors.from_pretrained(source, revision=revision))
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(f"the weights of {source} lack {len(absent)} tensors, {absent[0]} first; save the model again")
    return Parts(module.to(device), tokenizer, extractor)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and progress bars of transformers from the terminal, and set both back afterwards."""
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


def _require_tokenizer_file(source: str) -> None:
    # Without one transformers may build an empty tokenizer of the family, to which every token is unknown.
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(f"{source} holds no tokenizer ({' or '.join(TOKENIZER_FILES)}); save it beside the weights")


def _attempt(part: str, source: str, read: Any) -> Any:
    # Broad, since transformers, huggingface_hub and safetensors each raise errors of their own for one bad folder.
    try:
        return read()
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0].rstrip(".")
        advice = "give a folder in the hub's format, or a hub id that can be reached"
        if "sentencepiece" in str(error).lower():
            advice = "install sentencepiece, which its tokenizer needs"
        raise ModelError(f"cannot read the {part} of the model {source}: {reason}; {advice}") from error
