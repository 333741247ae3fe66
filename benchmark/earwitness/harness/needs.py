"""What a task needs that is not here: weights, data, packages. Nothing heavy is imported and nothing is fetched."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.box.view import is_hub_id
from earwitness.closure import closure, locate
from earwitness.errors import EarwitnessError
from earwitness.stand_ins import imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from earwitness.task import Task

REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
NO_TASKS = re.compile(r"extra == .(test|dev|ray|slurm)\b")
"""Marks of what no task needs: extras of tests and of engines."""
OF_AN_EXTRA = re.compile(r"extra == .(?!all\b|test\b|dev\b)([a-z]+)")
WEIGHTS = frozenset({".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".th"})
"""Endings of files that hold weights."""
ALONE = {"tinysoundfont": "0.3.7", "hear21passt": "0.0.26", "audiocraft": "1.3.0"}
"""Packages that are installed without their dependencies, so that no extra asks for them, and which version of each:
requirements-nodeps.txt."""
PARTS = ".index.json"
"""Ending of the list of files that weights are spread over."""
BYTES = 4
"""Of a parameter in float32."""


def needs(task: Task) -> list[str]:
    """What is missing here to run a task, a few words each; empty where it runs.

    Sources are looked for as loading does: in the task's folder, then from the working directory, then on the hub,
    of which only what lies in the local cache counts as here.
    """
    card = task.card
    models = [(card.model.source, card.model.revision)] + [(judge.source, judge.revision) for judge in card.judges]
    missing = [f"package {name}" for name in packages(task)]
    missing += [_weights(source) for source, revision in models if not _is_here(task, source, revision, "model")]
    if card.dataset.source and not _is_here(task, card.dataset.source, card.dataset.revision, "dataset"):
        missing.append(f"data {card.dataset.source}")
    return list(dict.fromkeys(missing))


def require_packages(task: Task) -> None:
    """Raise EarwitnessError where packages are missing that the task imports: which, and how they are installed."""
    if missing := packages(task):
        verb = "is" if len(missing) == 1 else "are"
        raise EarwitnessError(f"{', '.join(missing)} {verb} not installed: {_commands(missing)}")


def takes(task: Task) -> str:
    """What running a task takes, as its card says: memory of the model's weights, and hours where they were measured.

    Activations, the judges, and the second copy that a submission is handed come on top of it.
    """
    known = task.card.needs
    hours = "hours not measured" if known.hours is None else f"{known.hours:g} hours ({known.measured})"
    if known.parameters is None:
        return hours
    memory = f"{known.parameters * BYTES / 2**30:.2g} GiB"
    return f"about {memory} of memory for {known.parameters:,} parameters in float32, before activations; {hours}"


def _weights(source: str) -> str:
    return f"weights {source}" + (" (not in the hub's cache)" if is_hub_id(source) else "")


def _is_here(task: Task, source: str, revision: str, kind: str) -> bool:
    here = Path(task.source(source))
    folder = here if os.path.exists(here) or not is_hub_id(source) else _cached(source, revision, kind)
    return folder is not None and (_holds_weights(folder) if kind == "model" else _holds_a_file(folder))


def _holds_a_file(place: Path) -> bool:
    """Whether a place is a file or has one that is not hidden below it; links that lead nowhere are none."""
    if place.is_file():
        return True
    below = (Path(folder, name) for folder, _, names in os.walk(place, followlinks=True) for name in names)
    return any(path.is_file() for path in below if not path.name.startswith("."))


def _holds_weights(folder: Path) -> bool:
    """Whether a folder holds weights, and every file that a list of their parts names; or is a file of weights."""
    if folder.is_file():
        return folder.suffix in WEIGHTS
    if not any(path.suffix in WEIGHTS and path.is_file() for path in folder.rglob("*")):
        return False
    return all((index.parent / name).is_file() for index in folder.rglob(f"*{PARTS}") for name in _parts(index))


def _parts(index: Path) -> set[str]:
    try:
        return set(map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _cached(source: str, revision: str, kind: str) -> Path | None:
    """The folder of a repository at a revision in the hub's local cache; None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, repo_type=kind, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):  # ValueError: no name of a repository
        return None


def packages(task: Task) -> list[str]:
    """Packages that the task's code imports and that are not installed, by the name that is imported."""
    if _is_complete():
        return []
    card = task.card
    names = [f"tracks.{card.track}", f"models.{card.model.adapter}"]
    names += [f"{kind}.{card.dataset.adapter}" for kind in ("datasets", "worlds")]
    names += [f"judges.{judge.adapter}" for judge in card.judges]
    modules = [module for name in names if locate(module := f"earwitness.{name}")]
    asked = {name for path in closure(modules).values() for name in _imported(path)}
    return sorted(name for name in asked if not _is_installed(name))


def _commands(missing: Sequence[str]) -> str:
    """What installs these packages."""
    extras = sorted({extra for name in missing if (extra := _extra(name))})
    alone = [f"{name}=={ALONE[name]}" for name in missing if name in ALONE]
    rest = [name for name in missing if name not in ALONE and not _extra(name)]
    lines = [f"pip install 'earwitness[{','.join(extras)}]'"] if extras else []
    lines += [f"pip install --no-deps {' '.join(alone)}"] if alone else []
    lines += [f"pip install {' '.join(rest)}"] if rest else []
    return " && ".join(lines)


def _extra(package: str) -> str:
    """The smallest extra that asks for a package, by the name that is imported; empty where none does."""
    asked: dict[str, set[str]] = {}
    for line in requires("earwitness") or []:
        if (name := REQUIREMENT.match(line)) and (extra := OF_AN_EXTRA.search(line)):
            asked.setdefault(extra.group(1), set()).add(name.group().replace("-", "_"))
    return min((extra for extra, names in asked.items() if package in names), key=lambda x: len(asked[x]), default="")


@cache
def _is_installed(package: str) -> bool:
    try:
        return package in sys.modules or find_spec(package) is not None
    except (ImportError, ValueError):
        return False


@cache
def _is_complete() -> bool:
    """Whether all that the library and its extras ask for is installed, and ALONE, so that no source need be read."""
    try:
        asked = [REQUIREMENT.match(line) for line in requires("earwitness") or [] if not NO_TASKS.search(line)]
        return all(map(version, [*(found.group() for found in asked if found), *ALONE]))
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
    """Names of modules that a node imports: a statement, or a call of `stand_ins.imported` on a name."""
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] == imported.__name__:
        name = node.args[0]
        # Of a text that is put together, its beginning tells the package.
        name = name.values[0] if isinstance(name, ast.JoinedStr) else name
        return [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
