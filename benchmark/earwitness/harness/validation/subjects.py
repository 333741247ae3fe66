"""What is to be checked: found by a registered name, a folder, a file, or `package.module:factory`."""

from __future__ import annotations

import inspect
import sys
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from earwitness import metrics, plugins, registry
from earwitness.errors import EarwitnessError, shortened
from earwitness.hub.addresses import is_address

KINDS = {
    "submission": "submissions",
    "task": "tasks",
    "model": "models",
    "dataset": "datasets",
    "judge": "judges",
    "metric": "metrics",
}
"""What can be checked, and the group of entry points of each."""
ADAPTERS = ("model", "dataset", "judge")
PROJECT = "pyproject.toml"


@dataclass(frozen=True)
class ValidationSubject:
    """Something to be checked."""

    kind: str
    found: Any
    """A `Submission`, a `Task`, an `Adapter` or a `MetricSpec`."""


def find(target: str, kind: str = "") -> ValidationSubject:
    """What a name, a folder, a file or `package.module:factory` stands for, of a kind where one is named.

    Raises EarwitnessError where there is none, or several and no kind is named.
    """
    if kind and kind not in KINDS:
        raise EarwitnessError(f"no kind is called {shortened(kind)!r}; kinds: {', '.join(KINDS)}")
    if is_address(target):
        return ValidationSubject(_only(target, kind, "submission"), registry.submission(target))
    path = Path(target)
    for card, of_card in (("submission.toml", "submission"), ("task.toml", "task")):
        if _is_file(path / card):
            return ValidationSubject(_only(target, kind, of_card), registry.get(KINDS[of_card], target))
    if _is_file(path / PROJECT):
        return _of_project(path, kind)
    if path.suffix == ".py" and _is_file(path):
        _importable(path.resolve().parent)
        return _of_module(path.stem, kind)
    if ":" in target:
        return _of_path(target, kind)
    return _registered(target, kind)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _only(target: str, kind: str, real: str) -> str:
    """The kind that a folder is; raises EarwitnessError where another one is named."""
    if kind not in ("", real):
        raise EarwitnessError(f"{target} is a {real}, not a {kind}; leave --kind out")
    return real


def _importable(folder: Path) -> None:
    """Let modules of a folder be imported, as if it stood on PYTHONPATH."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _of_project(folder: Path, kind: str) -> ValidationSubject:
    """What a package's only entry point of a kind names."""
    file = folder / PROJECT
    try:
        groups = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("entry-points", {})
    except (OSError, ValueError) as error:
        raise EarwitnessError(f"{file}: not valid TOML: {error}") from error
    named = [
        (each, name, str(value))
        for each, group in KINDS.items()
        if kind in ("", each)
        for name, value in groups.get(f"earwitness.{group}", {}).items()
    ]
    if not named:
        raise EarwitnessError(
            f'{file}: plugs in no {kind or "part"}; name one under [project.entry-points."earwitness.models"], say'
        )
    if len(named) > 1:
        listed = ", ".join(f"{name} (a {each}: {value})" for each, name, value in named)
        raise EarwitnessError(f"{file}: plugs in several: {listed}; name one by --kind, or as package.module:factory")
    each, _, value = named[0]
    _importable(folder.resolve() / "src" if (folder / "src").is_dir() else folder.resolve())
    if each in ("submission", "task"):
        return _of_folders(value, each)
    return _of_path(value, each) if ":" in value else _of_module(value, each)


def _of_folders(package: str, kind: str) -> ValidationSubject:
    """The one submission or task of a package that holds folders with cards."""
    card = registry.CARDS[KINDS[kind]]
    places = [Path(root) for root in getattr(plugins.named(package), "__path__", ())]
    folders = sorted(path.parent for root in places for path in root.glob(f"*/{card}"))
    if len(folders) != 1:
        listed = ", ".join(map(str, folders)) or f"no folder with a {card}"
        raise EarwitnessError(f"{package} holds {listed}; name the folder of one {kind}")
    return ValidationSubject(kind, registry.get(KINDS[kind], str(folders[0])))


def _of_module(name: str, kind: str) -> ValidationSubject:
    """What a module holds: an entry of an adapter, or a metric."""
    module = plugins.named(name)
    declared = [spec for spec in metrics.all_metrics().values() if spec.function.__module__ == module.__name__]
    found = kind or ("metric" if declared else _kind_of(module, name))
    if found == "metric":
        if len(declared) != 1:
            listed = ", ".join(spec.name for spec in declared) or "none"
            raise EarwitnessError(
                f"{name} declares {listed} with @earwitness.metrics.metric; name one as {name}:function"
            )
        return ValidationSubject("metric", declared[0])
    return ValidationSubject(found, plugins.adapter(KINDS[found], f"{name}:{plugins.ENTRIES[KINDS[found]]}"))


def _of_path(path: str, kind: str) -> ValidationSubject:
    """What `package.module:factory` names."""
    named = plugins.named(path)
    found = kind or _kind_of(named, path)
    if found == "metric":
        return ValidationSubject(found, metrics.get(path))
    if found not in ADAPTERS:
        raise EarwitnessError(f"{path!r} can be no {found}: that is a folder with a card; name the folder")
    return ValidationSubject(found, plugins.adapter(KINDS[found], path))


def _kind_of(found: Any, path: str) -> str:
    """Of which kind an adapter or a metric is, by what it takes; raises EarwitnessError where that tells nothing."""
    if any(spec.function is found for spec in metrics.all_metrics().values()):
        return "metric"
    if hasattr(found, "from_pretrained") or getattr(found, "__name__", "") == "from_pretrained":
        return "model"
    entry = getattr(found, "load", found)
    if callable(entry) and not inspect.ismodule(entry):
        taken = inspect.signature(entry).parameters
        if "items" in taken:
            return "dataset"
        if "device" in taken:
            return "judge" if getattr(entry, "__name__", "") == "load" else "model"
    raise EarwitnessError(
        f"{path!r} may be anything: it has neither from_pretrained (a model) nor load (a dataset or a judge), and is "
        f"no declared metric; say which by --kind {'|'.join(KINDS)}"
    )


def _registered(name: str, kind: str) -> ValidationSubject:
    """What is registered under a name; raises EarwitnessError and offers the nearest one."""
    asked = {each: group for each, group in KINDS.items() if kind in ("", each)}
    found = [each for each, group in asked.items() if name in registry.names(group)]
    if len(found) > 1:
        listed = " and as ".join(f"a {each}" for each in found)
        raise EarwitnessError(f"{name} is registered as {listed}; name one by --kind")
    if found:
        return ValidationSubject(found[0], registry.get(KINDS[found[0]], name))
    known = {other: each for each, group in asked.items() for other in registry.names(group)}
    near = get_close_matches(name[:100], known, 1)
    if near and known[near[0]] != (kind or "submission"):
        raise EarwitnessError(f"nothing is called {shortened(name)!r}; did you mean the {known[near[0]]} {near[0]!r}?")
    return ValidationSubject(kind or "submission", registry.get(KINDS[kind or "submission"], name))
