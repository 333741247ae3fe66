"""Sounds that the board points to, to listen to."""

from __future__ import annotations

import streamlit as st
from reading import beside


def play(label: str, path: str) -> None:
    """A player under a label; says so where the sound is gone."""
    st.caption(label)
    found = beside(path)
    if found is None:
        st.caption("— not kept —")
    else:
        st.audio(str(found), format=f"audio/{found.suffix.removeprefix('.')}")
