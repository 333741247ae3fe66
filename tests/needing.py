"""Levels of isolation that tests need: where one should work and does not, tests fail and are not skipped."""

import os

import pytest

from earwitness.box import levels

EVERY_LEVEL = "EARWITNESS_EVERY_LEVEL"
"""Set where every level must be had, as in continuous integration."""


def need(level: str) -> None:
    """Skip a test where a level is not to be had; fail where every level must be."""
    if reason := levels.lacking(level):
        outcome = pytest.fail if EVERY_LEVEL in os.environ else pytest.skip
        outcome(f"isolation {level} is not to be had here: {reason}")
