"""Finding code by a name that a card gives: the library's own, or what other packages plug in.

A name is a file of the library's package (`musicgen` of `earwitness.models`), an entry point of the group
`earwitness.<kind>`, or `package.module:factory`. A plug-in that cannot be imported hides nothing else: it is one line
of `faults`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import isclass, ismodule
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError, nearest, one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(__file__).resolve().parent
KINDS = ("tasks", "submissions", "models", "datasets", "judges", "metrics", "tracks")
"""What can be plugged in: each is a group of entry points."""
ENTRIES = {"models": "from_pretrained", "datasets": "load", "judges": "load"}
"""What an adapter of each kind is called by."""
OWN_FILES = (*ENTRIES, "tracks")
"""Kinds of which the library's own lie in a file each."""
_FAULTS: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Adapter:
    """What reads a model, a dataset or a judge."""

    name: str
    module: str
    """Dotted name of the module that it lies in: its code is in identities."""
    entry: Callable[..., Any]
    """`from_pretrained(source, *, revision, device, ...)` of a model, `load(...)` of a dataset or a judge."""
    home: Any
    """Module or class that holds the entry, and what an adapter may say of itself: `MADE`, `VERSION`, `ESTIMATORS`."""

    def says(self, attribute: str, default: Any = None) -> Any:
        """What the adapter says of itself."""
        return getattr(self.home, attribute, default)


def names(kind: str) -> list[str]:
    """Names of adapters of a kind, the library's and those of packages that plug in.

    >>> "musicgen" in names("models")
    True
    """
    entry = ENTRIES[kind]
    own = [path.stem for path in (PACKAGE / kind).glob("*.py") if f"\ndef {entry}(" in path.read_text(encoding="utf-8")]
    return sorted({*own, *points(kind)})


def module_of(kind: str, name: str) -> str:
    """Dotted name of the module that an adapter's name stands for; nothing is imported, nor need it be there."""
    if ":" in name or "." in name:
        return name.partition(":")[0]
    if _own(kind, name) or name not in points(kind):
        return f"earwitness.{kind}.{name}"
    return points(kind)[name].module


def adapter(kind: str, name: str) -> Adapter:
    """The adapter of that kind and name.

    Raises EarwitnessError, in one line, where there is none, where it cannot be imported, and where it lacks its entry.
    """
    if ":" in name or "." in name:
        return _adapter(kind, name, named(name))
    if _own(kind, name):
        return _adapter(kind, name, import_module(f"earwitness.{kind}.{name}"))
    if name not in points(kind):
        hint = nearest(name, names(kind), "adapters")
        raise EarwitnessError(fault_of(kind, name) or f"earwitness.{kind} has no adapter {shortened(name)!r}; {hint}")
    found = load(kind, name)
    if found is None:
        raise EarwitnessError(fault_of(kind, name))
    return _adapter(kind, name, found)


def _own(kind: str, name: str) -> bool:
    return name.isidentifier() and (PACKAGE / kind / f"{name}.py").is_file()


def _adapter(kind: str, name: str, found: Any) -> Adapter:
    """The adapter that a module, a class or a function is; raises EarwitnessError where it is none."""
    wanted = ENTRIES[kind]
    entry = getattr(found, wanted, None) if ismodule(found) or isclass(found) else found
    if not callable(entry):
        what = f"it has no {wanted}" if entry is None else f"it is {type(found).__name__} and cannot be called"
        raise EarwitnessError(f"{name!r} is no adapter of earwitness.{kind}: {what}")
    home = found if entry is not found else import_module(found.__module__)
    return Adapter(name, home.__name__ if ismodule(home) else home.__module__, entry, home)


@lru_cache
def points(kind: str) -> dict[str, EntryPoint]:
    """Entry points of a kind by name; of two packages that give one name both are left out, and are a fault."""
    found: dict[str, EntryPoint] = {}
    doubled: dict[str, set[str]] = {}
    for point in entry_points(group=f"earwitness.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            doubled.setdefault(point.name, {found[point.name].value}).add(point.value)
        if kind in OWN_FILES and _own(kind, point.name):
            complain(kind, point.name, f"({point.value}) has the name of one of the library's own; rename it")
            continue
        found[point.name] = point
    for name, values in doubled.items():
        del found[name]
        complain(kind, name, f"is plugged in by {' and by '.join(sorted(values))}; uninstall all but one")
    return found


def loaded(kind: str) -> dict[str, Any]:
    """What the entry points of a kind give, by name, without what cannot be imported."""
    return {name: found for name in points(kind) if (found := load(kind, name)) is not None}


@lru_cache
def load(kind: str, name: str) -> Any:
    """What the entry point of that kind and name gives; None where there is none, or where it cannot be imported."""
    point = points(kind).get(name)
    if point is None:
        return None
    try:
        return point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # What somebody else's package raises as it is imported may be anything.
        complain(kind, name, f"({point.value}) cannot be imported: {one_line(error)}")
        return None


def complain(kind: str, name: str, fault: str) -> None:
    """Keep a fault of a plug-in for `faults`."""
    _FAULTS[kind, name] = f"plug-in {name!r} of earwitness.{kind} {fault}"


def fault_of(kind: str, name: str) -> str:
    """The line that says why a plug-in is of no use; empty where it is, or where it was not loaded."""
    return _FAULTS.get((kind, name), "")


def faults() -> list[str]:
    """A line for each plug-in that was looked at and is of no use."""
    return list(_FAULTS.values())


def named(path: str) -> Any:
    """What `package.module:name` names, or the module `package.module`.

    Raises EarwitnessError, in one line, where it is not there or cannot be imported.

    >>> named("earwitness.plugins:KINDS")[0]
    'tasks'
    """
    module, _, attribute = path.partition(":")
    try:
        found = import_module(module)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise EarwitnessError(f"{path!r}: no module is called {error.name}; is its package installed?") from error
        raise EarwitnessError(f"{path!r} cannot be imported: {one_line(error)}") from error
    except AttributeError as error:
        if isinstance(error.obj, type(import_module)) or not attribute:
            raise EarwitnessError(f"{path!r} cannot be imported: {one_line(error)}") from error
        raise EarwitnessError(f"{path!r}: {module} has no {attribute}") from error
    except BaseException as error:
        raise EarwitnessError(f"{path!r} cannot be imported: {one_line(error)}") from error
    return found
