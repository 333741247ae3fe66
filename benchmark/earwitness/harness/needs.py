"""What a task needs that is not here: weights, data, packages. Nothing heavy is imported and nothing is fetched."""

from __future__ import annotations

import ast
import os
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.closure import closure, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.task import Task

REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
FOR_TESTS = re.compile(r"extra == .(test|dev)\b")
FILES = ("config.json", "model_index.json", "model_config.json")
"""Files of which a model's repository holds one, and reads it first."""


def needs(task: Task) -> list[str]:
    """What is missing here to run a task, a few words each; empty where it runs.

    Sources are looked for as loading does: in the task's folder, then from the working directory, then on the hub,
    of which only what lies in the local cache counts as here.
    """
    card = task.card
    models = [(card.model.source, card.model.revision)] + [(judge.source, judge.revision) for judge in card.judges]
    missing = [f"package {name}" for name in _packages(task)]
    missing += [_weights(source) for source, revision in models if not _is_here(task, source, revision, "model")]
    if card.dataset.source and not _is_here(task, card.dataset.source, card.dataset.revision, "dataset"):
        missing.append(f"data {card.dataset.source}")
    return list(dict.fromkeys(missing))


def _weights(source: str) -> str:
    return f"weights {source}" + (" (not in the hub's cache)" if _is_hub_id(source) else "")


def _is_here(task: Task, source: str, revision: str, kind: str) -> bool:
    return os.path.exists(task.source(source)) or (_is_hub_id(source) and _is_cached(source, revision, kind))


def _is_hub_id(source: str) -> bool:
    """Whether a source may be a repository of the hub: an owner and a name."""
    return source.count("/") == 1 and not source.startswith((".", "/", "~"))


def _is_cached(source: str, revision: str, kind: str) -> bool:
    """Whether the hub's local cache holds a repository at a revision."""
    from huggingface_hub import constants, try_to_load_from_cache

    if kind == "model":
        try:
            found = [try_to_load_from_cache(source, name, revision=revision) for name in FILES]
        except ValueError:  # no name of a repository
            return False
        return any(isinstance(path, str) for path in found)
    folder = Path(constants.HF_HUB_CACHE, f"datasets--{source.replace('/', '--')}", "snapshots")
    return any(folder.glob("*/*"))


def _packages(task: Task) -> list[str]:
    """Packages that the task's code imports and that are not installed, by the name that is imported."""
    if _is_complete():
        return []
    card = task.card
    names = [f"tracks.{card.track}", f"models.{card.model.adapter}"]
    names += [f"{kind}.{card.dataset.adapter}" for kind in ("datasets", "worlds")]
    names += [f"judges.{judge.adapter}" for judge in card.judges]
    modules = [module for name in names if locate(module := f"earwitness.{name}")]
    imported = {name for path in closure(modules).values() for name in _imported(path)}
    return sorted(name for name in imported if not _is_installed(name))


@cache
def _is_installed(package: str) -> bool:
    try:
        return package in sys.modules or find_spec(package) is not None
    except (ImportError, ValueError):
        return False


@cache
def _is_complete() -> bool:
    """Whether all that the library and its extras ask for is installed, so that no source need be read."""
    try:
        asked = [REQUIREMENT.match(line) for line in requires("earwitness") or [] if not FOR_TESTS.search(line)]
        return all(version(found.group()) for found in asked if found)
    except PackageNotFoundError:
        return False


@cache
def _imported(path: Path) -> frozenset[str]:
    """Top-level packages that a file imports, the library, the standard library and imports for types aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name.partition(".")[0] for node in _run(tree) for name in _named(node)}
    return frozenset(names - {*sys.stdlib_module_names, "earwitness"})


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run; what stands under `if TYPE_CHECKING:` does not."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _run(child)


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
