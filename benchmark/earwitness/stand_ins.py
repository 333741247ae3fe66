"""Published packages that import others which they do not need here: those stand in while the package is imported."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOCK = RLock()
"""`sys.modules` is one for all threads."""


def stand_in(name: str, **attributes: Any) -> ModuleType:
    """A module of a dotted name that holds these attributes and nothing else."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(attributes)
    return module


@contextmanager
def standing_in(modules: Iterable[ModuleType]) -> Iterator[None]:
    """While it lasts, `import` finds these modules, except those whose top-level package can really be imported.

    A module is an attribute of its parent, which must come before it. Afterwards `sys.modules` is as it was, but for
    what was imported meanwhile; whoever imported a stand-in keeps it.
    """
    with _LOCK:
        # It looks for torchaudio once for all, and asks a module for its place.
        from transformers.utils.import_utils import is_torchaudio_available

        is_torchaudio_available()
        real: dict[str, bool] = {}
        placed = []
        try:
            for module in modules:
                top, _, _ = module.__name__.partition(".")
                if real.setdefault(top, _imports(top)):
                    continue
                parent, _, name = module.__name__.rpartition(".")
                if parent:
                    setattr(sys.modules[parent], name, module)
                sys.modules[module.__name__] = module
                placed.append(module.__name__)
            yield
        finally:
            for name in placed:
                sys.modules.pop(name, None)


def imported(name: str, package: str, command: str, modules: Iterable[ModuleType] = ()) -> Any:
    """The module of a dotted name, of a package that `command` installs, with `modules` standing in.

    Raises EarwitnessError, in one line with the command, where the package is absent or cannot be imported.

    >>> imported("none_such.models", "none-such", "pip install none-such")
    Traceback (most recent call last):
    earwitness.errors.EarwitnessError: none-such is not installed: pip install none-such
    """
    top, _, _ = name.partition(".")
    try:
        with standing_in(modules):
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == top:
            raise EarwitnessError(f"{package} is not installed: {command}") from None
        raise EarwitnessError(f"{package} needs {error.name}, which is not installed: {command}") from error
    except Exception as error:  # whatever a package of another version, or half of one, raises
        reason = short(f"{type(error).__name__}: {error}")[:160]
        raise EarwitnessError(f"{package} cannot be imported ({reason}); install it again: {command}") from error


def _imports(package: str) -> bool:
    """Whether a package can be imported; of one that cannot, nothing stays behind."""
    before = set(sys.modules)
    try:
        import_module(package)
    except Exception:  # torchaudio beside another torch raises OSError
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == package:
                del sys.modules[name]
        return False
    return True
