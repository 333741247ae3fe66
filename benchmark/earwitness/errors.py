"""Errors that a user can cause: one line that says what was wrong, where, and what to do."""

from __future__ import annotations

import re
import unicodedata

DONE, NO, USAGE, NOT_COMPARABLE, ITEM_FAILED = 0, 1, 2, 3, 4
FAULT = 70
"""Of the program itself: a crash must not read as an answer."""
MAX_CHARACTERS = 300
"""Of a reason in a row."""
MAX_NAME = 80
"""Characters of a name in a message."""
BIDIRECTIONAL = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Classes of letters that turn the direction of a line."""


class EarwitnessError(Exception):
    """An error with a one-line message for people and the exit code of the command line."""

    exit_code = USAGE


class InvalidCardError(EarwitnessError):
    """A task or submission card cannot be read or breaks its schema."""


class InvalidItemError(EarwitnessError):
    """An item of a dataset cannot be used; its row says why."""

    exit_code = ITEM_FAILED


class InvalidExplanationError(EarwitnessError):
    """An explainer returned something that is no explanation of its track."""

    exit_code = ITEM_FAILED


class ModelError(EarwitnessError):
    """A model's folder or hub id cannot be read."""


class NotComparableError(EarwitnessError):
    """Two things cannot be compared because they are not of one task, submission or version."""

    exit_code = NOT_COMPARABLE


class ExplainerFailedError(EarwitnessError):
    """An explainer gave no explanation that could be scored."""

    exit_code = ITEM_FAILED


class VerificationError(EarwitnessError):
    """Recomputed rows differ from the recorded ones."""

    exit_code = NO


def short(text: str) -> str:
    """A text as one short line."""
    # Names of files may hold bytes that are no text.
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())[:MAX_CHARACTERS]


def shortened(name: str) -> str:
    """A name as a message shows it: a long one by its beginning.

    >>> shortened("x" * 5000) == "x" * 80 + "..."
    True
    """
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."


def steers(letter: str) -> bool:
    """Whether a letter is none: a control character, one that ends or turns a line, or a byte that is no text.

    >>> [steers(letter) for letter in ("a", " ", "\x1b", "\u202e", "\u200d")]
    [False, False, True, True, False]
    """
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in BIDIRECTIONAL


def one_line(error: BaseException) -> str:
    """An error as one line without addresses, so that equal failures read equal.

    >>> one_line(ValueError("bad\\n thing at 0x7f12ab"))
    'ValueError: bad thing at 0x...'
    """
    text = str(error)
    named = text if isinstance(error, EarwitnessError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
    return short(re.sub(r"0x[0-9a-fA-F]+", "0x...", named))
