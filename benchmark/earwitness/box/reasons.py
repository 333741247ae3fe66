"""Reasons: why an item or a unit has no value, in one line that reads the same each time."""

from __future__ import annotations

import re

from earwitness.errors import EarwitnessError

MAX_CHARACTERS = 300


def short(text: str) -> str:
    """A text as one short line."""
    return " ".join(text.split())[:MAX_CHARACTERS]


def one_line(error: BaseException) -> str:
    """An error as one line without addresses, so that equal failures read equal.

    >>> one_line(ValueError("bad\\n thing at 0x7f12ab"))
    'ValueError: bad thing at 0x...'
    """
    text = str(error)
    named = text if isinstance(error, EarwitnessError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
    return short(re.sub(r"0x[0-9a-fA-F]+", "0x...", named))
