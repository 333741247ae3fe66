"""Models of transformers and diffusers in memory, saved as folders that an adapter reads."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from earwitness.errors import EarwitnessError, one_line
from earwitness.models.pipeline_files import INDEX, quiet_diffusers
from earwitness.models.pretrained_files import attempt, parsed, quiet

PROCESSORS = (
    *("tokenizer*", "vocab*", "merges.txt", "spiece.model", "sentencepiece*", "special_tokens_map.json"),
    *("added_tokens.json", "normalizer.json", "preprocessor_config.json", "processor_config.json"),
)
"""Files of tokenizers and feature extractors, which a model of transformers does not hold and so does not save."""
PLACE = "_name_or_path"
"""Key of a saved configuration that says where the model was once read: no part of what it is."""


def save(model: Any, folder: Path, source: str, revision: str) -> None:
    """Save a model, or a pipeline with all its parts, to a folder.

    A tokenizer and a feature extractor that it does not save itself are those of `source`, a folder or a hub id. Raises
    EarwitnessError, in one line, where it cannot be saved, and ModelError where the source cannot be read.
    """
    try:
        with _quiet():
            model.save_pretrained(folder)
    except Exception as error:  # What another library raises as it saves may be anything.
        raise EarwitnessError(f"{type(model).__name__} cannot be saved: {one_line(error)}") from error
    for path in folder.rglob("*.json"):
        _without_place(path)
    if not (folder / INDEX).is_file() and not any(path.match("*token*") for path in folder.iterdir()):
        _add_processors(folder, source, revision)


def _quiet() -> ExitStack:
    stack = ExitStack()
    stack.enter_context(quiet())
    if "diffusers" in sys.modules:
        stack.enter_context(quiet_diffusers())
    return stack


def _without_place(path: Path) -> None:
    try:
        content = parsed(path)
    except (OSError, ValueError):  # Which its adapter says.
        return
    if PLACE in content:
        kept = {key: value for key, value in content.items() if key != PLACE}
        path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _add_processors(folder: Path, source: str, revision: str) -> None:
    place = Path(source)
    if not place.is_dir():
        from huggingface_hub import snapshot_download

        wanted = list(PROCESSORS)
        found = attempt(
            "tokenizer", source, lambda: snapshot_download(source, revision=revision, allow_patterns=wanted)
        )
        place = Path(found)
    for path in place.iterdir():
        if path.is_file() and not (folder / path.name).exists() and any(map(path.match, PROCESSORS)):
            shutil.copy(path, folder)
