"""What reading any pipeline of diffusers has in common: its index, each part with all its weights, one line a fault."""

from __future__ import annotations

import functools
import inspect
import warnings
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from earwitness.errors import ModelError
from earwitness.models.pretrained_files import (
    at,
    attempt,
    other_class,
    parsed,
    quiet,
    require_all,
    require_modest,
    settle,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INDEX = "model_index.json"


def read_index(source: str, revision: str, kind: type) -> dict[str, tuple[str, str]]:
    """Library and class of each part of a pipeline of a kind, by the part's name.

    Raises ModelError, in one line, where there is no index, or it is that of another pipeline, or lacks a part.
    """
    folder = Path(source)
    if folder.is_dir() and not (folder / INDEX).is_file():
        raise ModelError(f"{source} holds no {INDEX}: give a folder that a diffusers pipeline was saved to")
    loader: Any = kind
    with quiet_diffusers():
        index = attempt("index", at(source, revision), lambda: table(loader.load_config(source, revision=revision)))
    found = index.get("_class_name")
    if not isinstance(found, str) or not found:
        raise ModelError(f"the {INDEX} of {source} names no pipeline as its _class_name; save the pipeline again")
    if found != kind.__name__:
        raise other_class(source, found, kind.__name__)
    taken = inspect.signature(kind).parameters.values()
    return {each.name: _entry(source, each.name, index) for each in taken if each.default is each.empty}


def _entry(source: str, name: str, index: Mapping[str, Any]) -> tuple[str, str]:
    entry = index.get(name)
    if not (isinstance(entry, list | tuple) and len(entry) == 2 and all(isinstance(each, str) for each in entry)):
        raise ModelError(
            f"the {INDEX} of {source} does not say which library and class its {name} is of; save the pipeline again"
        )
    return entry[0], entry[1]


def read_pipeline(source: str, revision: str, kind: Any, index: Mapping[str, tuple[str, str]]) -> Any:
    """A pipeline of a kind with the parts of its index, in float32, each with all the tensors that its class has.

    Raises ModelError, in one line that names the part, where one cannot be read or lacks tensors: diffusers would draw
    them at random.
    """
    with quiet(), quiet_diffusers(), warnings.catch_warnings():
        # Of arguments that diffusers and torch are about to rename: nothing that a user could change.
        warnings.simplefilter("ignore", FutureWarning)
        folder = _fetched(source, revision, kind)
        _require_modest_parts(source, folder)
        classes = {name: _class(library, title) for name, (library, title) in index.items()}
        parts = {
            name: _part(source, folder / name, found)
            for name, found in classes.items()
            if isinstance(found, type) and issubclass(found, nn.Module)
        }
        return attempt("pipeline", source, lambda: kind.from_pretrained(folder, **parts))


def settled(source: str, pipeline: Any, device: str) -> Any:
    """The pipeline with its modules frozen, on a device; raises ModelError where weights are not finite."""
    for name, part in pipeline.components.items():
        if isinstance(part, nn.Module):
            settle(source, part, name)
            part.to(device).requires_grad_(False).eval()
    return pipeline


def _class(library: str, name: str) -> Any:
    """A class of transformers, of diffusers or of one of its pipelines; None where there is none, for it to say so."""
    from diffusers import pipelines

    own = library in ("diffusers", "transformers")
    return getattr(import_module(library) if own else getattr(pipelines, library, None), name, None)


def _part(source: str, folder: Path, kind: Any) -> nn.Module:
    """A module of a pipeline, from its own folder."""
    from diffusers import ModelMixin

    if not folder.is_dir():
        raise ModelError(f"{source} holds no folder {folder.name}, a part of its pipeline; save the pipeline again")
    given = (
        {"torch_dtype": torch.float32, "low_cpu_mem_usage": False}
        if issubclass(kind, ModelMixin)
        else {"dtype": torch.float32}
    )
    module, report = attempt(
        folder.name, source, lambda: kind.from_pretrained(str(folder), output_loading_info=True, **given)
    )
    require_all(f"the {folder.name} of {source}", module, report, folder)
    found: nn.Module = module
    return found


def _fetched(source: str, revision: str, kind: Any) -> Path:
    """The folder of a pipeline: the source itself, or where the hub's files were put."""
    if Path(source).is_dir():
        return Path(source)
    return Path(attempt("files", at(source, revision), lambda: kind.download(source, revision=revision)))


def _require_modest_parts(source: str, folder: Path) -> None:
    """Raise ModelError where a part of a pipeline has a configuration that is no JSON or no model's."""
    for path in sorted(folder.glob("*/config.json")):
        name = path.parent.name
        require_modest(source, attempt(f"configuration of {name}", source, functools.partial(parsed, path)), name)


@contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Keep warnings and progress bars of diffusers from the terminal, and set them back afterwards."""
    from diffusers.utils import logging as untyped

    logging: Any = untyped
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
