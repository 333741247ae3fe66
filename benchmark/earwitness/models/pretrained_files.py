"""What reading any model of transformers has in common: quiet, one line for every fault, nothing missing."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def attempt(part: str, source: str, read: Any) -> Any:
    """What `read` returns; raises ModelError, in one line, where it raises anything."""
    # Broad, since transformers, huggingface_hub and safetensors each raise errors of their own for one bad folder.
    try:
        return read()
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0].rstrip(".")
        advice = "give a folder in the hub's format, or a hub id that can be reached"
        if "sentencepiece" in str(error).lower():
            advice = "install sentencepiece, which its tokenizer needs"
        raise ModelError(f"cannot read the {part} of the model {source}: {reason}; {advice}") from error


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


def require_tokenizer_file(source: str, names: Sequence[str]) -> None:
    """Raise ModelError where a folder holds no file of a tokenizer."""
    # Without one transformers may build an empty tokenizer of the family, to which every token is unknown.
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in names):
        raise ModelError(f"{source} holds no tokenizer ({' or '.join(names)}); save it beside the weights")


def require_all(source: str, report: Mapping[str, Any]) -> None:
    """Raise ModelError where the loading report of a model lists tensors that its weights lack."""
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(f"the weights of {source} lack {len(absent)} tensors, {absent[0]} first; save the model again")
