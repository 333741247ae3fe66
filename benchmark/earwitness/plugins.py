"""What other packages plug in by entry points of the groups `earwitness.<kind>`: found, imported, and named if broken.

A package that cannot be imported hides nothing else: it is one line of `faults`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from earwitness.errors import EarwitnessError, one_line

KINDS = ("tasks", "submissions", "models", "datasets", "judges", "metrics", "tracks")
"""What can be plugged in: each is a group of entry points."""
_FAULTS: dict[tuple[str, str], str] = {}


@lru_cache
def points(kind: str) -> dict[str, EntryPoint]:
    """Entry points of a kind by name; of two packages that give one name both are left out, and are a fault."""
    found: dict[str, EntryPoint] = {}
    doubled: dict[str, set[str]] = {}
    for point in entry_points(group=f"earwitness.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            doubled.setdefault(point.name, {found[point.name].value}).add(point.value)
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


def fault(kind: str, name: str) -> str:
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
