"""How the page draws an item of the track: see `leaderboard/views/__init__.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

ORIGINAL = ""
GIVEN = True
SOUNDS: dict[str, str] = {}


def title(fields: dict[str, Any]) -> str:
    """The item in one line."""
    return str(fields.get("title", ""))


def choose(fields: dict[str, Any]) -> None:
    """Nothing is chosen."""


def draw(
    fields: dict[str, Any], given: dict[str, np.ndarray], answered: dict[str, np.ndarray], seconds: float | None
) -> None:
    """Draw the numbers with their shares."""
    shares = answered.get("shares", [])
    st.markdown(" ".join(f"{number:g} has {share:g};" for number, share in zip(given["numbers"], shares, strict=False)))
