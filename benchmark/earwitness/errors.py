"""Errors that a user can cause: one line that says what was wrong, where, and what to do."""

from __future__ import annotations

import errno
import re
import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

DONE, NO, USAGE, NOT_COMPARABLE, ITEM_FAILED = 0, 1, 2, 3, 4
FAULT = 70
"""Of the program itself: a crash must not read as an answer."""
MAX_CHARACTERS = 300
"""Of a reason in a row."""
MAX_NAME = 80
"""Characters of a name in a message."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of writing that room helps against."""
_NUMBER = re.compile(r"os error (\d+)")
_LONG = re.compile(rf"\S{{{MAX_NAME + 1},}}")
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
    """A text as one short line.

    Of a longer one its long words, paths say, lose their middle first: what is wrong stands before or behind them.
    """
    # Names of files may hold bytes that are no text.
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    if len(line) > MAX_CHARACTERS:
        line = _LONG.sub(lambda word: shortened(word.group()), line)
    return shortened(line, MAX_CHARACTERS)


def shortened(text: str, most: int = MAX_NAME) -> str:
    """A text as a message shows it: a long one without its middle, in so many characters.

    >>> shortened("x" * 5000 + "/task.toml", 25)
    'xxxxxxxxxxx.../task.toml'
    """
    if len(text) <= most:
        return text
    kept = (most - 3) // 2
    return f"{text[:kept]}...{text[-kept:]}"


def nearest(name: str, known: Collection[str], what: str, listed: Collection[str] | None = None) -> str:
    """What to say to a name that is unknown: the nearest that is known, else those that there are.

    >>> nearest("step", ["steps", "seed"], "parameters"), nearest("x", ["steps", "seed"], "parameters")
    ("did you mean 'steps'?", 'parameters: seed, steps')
    """
    near = get_close_matches(name[:MAX_NAME], sorted(known), 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{what}: {', '.join(sorted(known) if listed is None else listed) or 'none'}"


def unwritten(path: object, error: Exception, then: str = "run the same command to resume") -> EarwitnessError:
    """What to raise where a path could not be written: why, and what to do; room helps on a full disk alone.

    >>> str(unwritten("a/b", OSError(errno.ENOSPC, "No space left on device")))
    'cannot write a/b: No space left on device; make room and run the same command to resume'
    """
    said = short(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    # Libraries that write by themselves tell the number in words alone.
    told = _NUMBER.search(said)
    code = getattr(error, "errno", None) or (int(told.group(1)) if told else 0)
    return EarwitnessError(f"cannot write {path}: {said}; {'make room' if code in FULL else 'mend that'} and {then}")


def steers(letter: str) -> bool:
    """Whether a letter is none: a control character, one that ends or turns a line, or a byte that is no text.

    >>> [steers(letter) for letter in ("a", " ", "\x1b", "\u202e", "\u200d")]
    [False, False, True, True, False]
    """
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in BIDIRECTIONAL


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: spaces, controls, marks without a letter.

    >>> [is_blank(text) for text in ("", " \u00a0", "\u200b\ufe0f", "\u3164", "a")]
    [True, True, True, True, False]
    """
    # The Hangul fillers count as letters.
    return all(unicodedata.category(each)[0] in "CMZ" or each in "\u115f\u1160\u3164\uffa0\u2800" for each in text)


def one_line(error: BaseException) -> str:
    """An error as one line without addresses, so that equal failures read equal.

    >>> one_line(ValueError("bad\\n thing at 0x7f12ab"))
    'ValueError: bad thing at 0x...'
    """
    text = str(error)
    named = text if isinstance(error, EarwitnessError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
    return short(re.sub(r"0x[0-9a-fA-F]+", "0x...", named))
