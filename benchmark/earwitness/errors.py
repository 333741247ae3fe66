"""Errors that a user can cause: one line that says what was wrong, where, and what to do."""

from __future__ import annotations

DONE, NO, USAGE, NOT_COMPARABLE, ITEM_FAILED = 0, 1, 2, 3, 4
FAULT = 70
"""Of the program itself: a crash must not read as an answer."""


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
