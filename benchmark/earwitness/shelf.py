"""The registry under its former name: scripts that import `earwitness.shelf` go on working, with a warning."""

from __future__ import annotations

import warnings
from typing import Any

from earwitness import registry


def __getattr__(name: str) -> Any:
    found = getattr(registry, name)
    warnings.warn("earwitness.shelf is earwitness.registry now", DeprecationWarning, stacklevel=2)
    return found
