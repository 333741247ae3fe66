"""Fingerprints of objects in memory: by which an explainer or a model is known again, whatever address it has.

Of code that lies in a file the file counts; of code that was typed (in a notebook, at a prompt) the compiled code of
the class or function, with what it names of its own module. Files of one's own that a file imports count, too
(`own_files`); installed packages go by their names. What cannot be read has no fingerprint.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

from earwitness.harness.own_files import is_installed, own_files
from earwitness.plugins import PACKAGE

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


class UnreadableError(Exception):
    """An object whose content cannot be read."""


def fingerprint(value: Any) -> str | None:
    """SHA-256 over what an object is made of, 16 hex digits; None where a part of it cannot be read.

    >>> fingerprint([1, "a", {"b": 2.0}]) == fingerprint([1, "a", {"b": 2.0}]) != fingerprint([1, "a", {"b": 2}])
    True
    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)
    True
    """
    digest = hashlib.sha256()
    try:
        for piece in _Walk().pieces(value):
            digest.update(len(piece).to_bytes(8, "little") + piece)
    except (UnreadableError, RecursionError):
        return None
    return digest.hexdigest()[:16]


class _Walk:
    """One walk through an object, each part of it once."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []

    def pieces(self, value: Any) -> list[bytes]:
        """What tells the object from others."""
        if isinstance(value, PLAIN):
            return [f"{type(value).__name__} {value!r}".encode()]
        if id(value) in self._seen:
            return [f"again {self._seen[id(value)]}".encode()]
        self._seen[id(value)] = len(self._seen)
        # Kept, so that no other object gets its address.
        self._kept.append(value)
        return [type(value).__qualname__.encode(), *self._inside(value)]

    def _inside(self, value: Any) -> list[bytes]:
        if isinstance(value, list | tuple):
            return self._all(value)
        if isinstance(value, set | frozenset):
            return sorted(piece for each in value for piece in _Walk().pieces(each))
        if isinstance(value, dict):
            return [piece for key, entry in value.items() for piece in (*self.pieces(key), *self.pieces(entry))]
        if isinstance(value, np.ndarray):
            return [str((value.dtype, value.shape)).encode(), np.ascontiguousarray(value).tobytes()]
        if isinstance(value, types.ModuleType):
            return [value.__name__.encode()]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.CodeType):
            return [value.co_code, *self._all(value.co_names), *self._all(value.co_consts)]
        if isinstance(value, types.BuiltinFunctionType):
            return [f"{value.__module__}.{value.__qualname__}".encode(), *self._owner(value.__self__)]
        if isinstance(value, types.MethodType):
            return [*self.pieces(value.__func__), *self.pieces(value.__self__)]
        if isinstance(value, functools.partial):
            return [*self.pieces(value.func), *self._all(value.args), *self.pieces(value.keywords)]
        if isinstance(value, staticmethod | classmethod | functools.cached_property | property):
            held = (getattr(value, name, None) for name in ("__func__", "func", "fget"))
            return self._all([each for each in held if each is not None])
        if callable(value) and hasattr(value, "__code__"):
            return self._function(value)
        return self._object(value)

    def _owner(self, owner: Any) -> list[bytes]:
        """What tells the object that a built-in method is bound to."""
        return [] if isinstance(owner, types.ModuleType | None) else self.pieces(owner)

    def _all(self, values: Any) -> list[bytes]:
        return [piece for each in values for piece in self.pieces(each)]

    def _class(self, kind: type) -> list[bytes]:
        name = f"{kind.__module__}.{kind.__qualname__}".encode()
        source = _source(kind.__module__)
        if source is not None:
            return [name, source]
        own = {key: entry for key, entry in vars(kind).items() if key not in ("__dict__", "__weakref__", "__doc__")}
        own = {key: entry for key, entry in own.items() if not isinstance(entry, types.GetSetDescriptorType)}
        own.pop("_abc_impl", None)
        return [name, *self._all(kind.__bases__), *self.pieces(own)]

    def _function(self, function: Any) -> list[bytes]:
        source = _source(function.__module__)
        name = f"{function.__module__}.{function.__qualname__}".encode()
        if source is not None and "<" not in function.__qualname__:
            return [name, source]
        named = sorted(_names(function.__code__))
        used = {each: function.__globals__[each] for each in named if each in function.__globals__}
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        state = (function.__code__, function.__defaults__, function.__kwdefaults__, cells, used)
        return [source or b"", *self._all(state)]

    def _object(self, value: Any) -> list[bytes]:
        if hasattr(value, "state_dict") and hasattr(value, "named_modules"):
            # A module of torch: its weights, and the classes that it is made of.
            state = {name: tensor.detach().float().cpu().numpy() for name, tensor in value.state_dict().items()}
            kinds = [(name, type(each)) for name, each in value.named_modules()]
            return [*self._all(kinds), *self.pieces(state), str(getattr(value, "config", "")).encode()]
        if hasattr(value, "detach"):
            return self.pieces(value.detach().float().cpu().numpy())
        if isinstance(value, np.generic | np.dtype) or type(value).__module__ in ("torch", "numpy"):
            return [repr(value).encode()]
        slots = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
        if not hasattr(value, "__dict__") and not slots:
            raise UnreadableError(f"{type(value).__name__} cannot be read")
        state = {**{name: getattr(value, name) for name in sorted(slots) if hasattr(value, name)}, **_attributes(value)}
        return [*self.pieces(type(value)), *self.pieces(state)]


def _names(code: types.CodeType) -> set[str]:
    """Names that code uses, those of the functions and comprehensions inside it included."""
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _attributes(value: Any) -> dict[str, Any]:
    return dict(sorted(getattr(value, "__dict__", {}).items()))


def _source(module: str | None) -> bytes | None:
    """What stands for a module's code: of an installed one its name, of another file its content and that of the files
    of one's own that it imports; None where it was typed.
    """
    found = sys.modules.get(module or "")
    path = getattr(found, "__file__", None)
    if found is None or module is None or module == "builtins":
        return b"builtins" if module == "builtins" else None
    if path is None:
        return module.encode() if inspect.ismodule(found) and module in sys.builtin_module_names else None
    resolved = Path(path).resolve()
    if is_installed(resolved):
        return module.encode()
    if not resolved.is_file():
        return None
    if resolved.is_relative_to(PACKAGE):
        return resolved.read_bytes()
    # What is run by `python -m` is called __main__, and has its own name in its spec.
    name = getattr(found.__spec__, "name", module) if module == "__main__" else module
    files = own_files(name, resolved)
    return b"\0".join([resolved.read_bytes(), *(part for each in files.items() for part in _named(*each))])


def _named(name: str, path: Path) -> tuple[bytes, bytes]:
    return name.encode(), hashlib.sha256(path.read_bytes()).digest()
