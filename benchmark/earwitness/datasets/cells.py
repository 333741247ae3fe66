"""Numbers and truth values as the tables and lists of datasets write them."""

from __future__ import annotations

import math

YES, NO = ("true", "1", "1.0", "yes", "y", "t", "on"), ("false", "0", "0.0", "no", "n", "f", "off")
"""What programs write for a truth value, in lower case."""


def as_number(text: object) -> float:
    """The number that a text holds, with a point and an exponent; NaN where it is none.

    Infinities are numbers. What has an underscore is none, though Python takes one between digits.

    >>> [as_number(text) for text in (" 6.1 ", "1e3", "-inf", "6_1", "", None)]
    [6.1, 1000.0, -inf, nan, nan, nan]
    """
    if not isinstance(text, str) or "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


def as_flag(text: object) -> bool | None:
    """The truth value that a text holds; None where it is none.

    >>> [as_flag(text) for text in (" True", "no", "1.0", "perhaps", "", None)]
    [True, False, True, None, None, None]
    """
    word = text.strip().lower() if isinstance(text, str) else ""
    return True if word in YES else False if word in NO else None
