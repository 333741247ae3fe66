"""The status of a value: what became of it."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What became of a row's value; everything but `ok` carries a reason and ranks at the random floor."""

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INVALID = "invalid"
    SKIPPED = "skipped"
