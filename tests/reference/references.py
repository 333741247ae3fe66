"""Authors' own code that baselines are compared with: checkouts in a folder that the caller names.

None of it is committed or fetched. Each checkout is a folder of its repository's name in the folder that
`EARWITNESS_REFERENCES` names, as a git checkout or as an unpacked archive.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PLACE = "EARWITNESS_REFERENCES"
"""Names the folder of checkouts."""


@dataclass(frozen=True)
class Checkout:
    """A repository of a paper's authors or of a library, at the commit that figures were taken with."""

    repository: str
    """Owner and name on GitHub."""
    commit: str

    def folder(self) -> Path:
        """Where it lies; the test is skipped where it does not, and another commit is said."""
        name = self.repository.split("/")[1]
        place = os.environ.get(PLACE)
        if not place or not (Path(place) / name).is_dir():
            pytest.skip(f"no {name}: set {PLACE} to a folder that holds a checkout of {self.repository}@{self.commit}")
        found = Path(place) / name
        git = subprocess.run(["git", "-C", found, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        at = git.stdout.strip() if (found / ".git").exists() else "an unknown commit"
        if not at.startswith(self.commit):
            warnings.warn(f"{name} is at {at}, figures were taken with {self.commit}", stacklevel=2)
        return found

    def beside(self, package: str) -> str:
        """A package of the checkout under a name of its own: an installed one of the same name stays what it is."""
        return f"{package}_of_{self.repository.split('/')[1]}"

    def module(self, package: str, name: str, within: str = "", renamed: bool = False) -> Any:
        """A module of a package of the checkout, imported without running the `__init__` of the packages around it.

        These import what the module does not need. The package lies in the folder `within`; `renamed`, it is imported
        under the name that `beside` gives it.
        """
        folder = self.folder() / within
        parts = name.split(".")[:-1]
        called = self.beside(package) if renamed else package
        for depth in range(len(parts) + 1):
            dotted = ".".join([called, *parts[:depth]])
            if dotted not in sys.modules:
                empty = types.ModuleType(dotted)
                empty.__path__ = [str(folder.joinpath(package, *parts[:depth]))]
                sys.modules[dotted] = empty
        return importlib.import_module(f"{called}.{name}")


def package(name: str, module: str, wanted: str) -> Any:
    """An installed package's module; the test is skipped where there is none, and another version is said."""
    found = pytest.importorskip(module)
    if (here := version(name)) != wanted:
        warnings.warn(f"{name} is {here}, figures were taken with {wanted}", stacklevel=2)
    return found
