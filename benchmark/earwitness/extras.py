"""Packages of which one dataset, one submission or the page alone has need: extras of an installation."""

from __future__ import annotations

from earwitness.errors import EarwitnessError


def not_installed(package: str, extra: str) -> EarwitnessError:
    """The error to raise where a package of an extra is missing.

    >>> print(not_installed("librosa", "notes"))
    librosa is not installed: pip install 'earwitness[notes]'
    """
    return EarwitnessError(f"{package} is not installed: pip install 'earwitness[{extra}]'")
