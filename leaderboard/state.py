"""What is picked on the pages, kept in the address so that a view can be shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def pick(
    label: str, options: Sequence[str], key: str, default: str, named: Callable[[str], str] = str, hidden: bool = False
) -> str:
    """A box to pick one of the options; the address holds the option itself, and nothing while it is the default."""
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(key)
    if st.session_state[key] not in options:
        st.session_state[key] = default
    chosen: str = st.selectbox(
        label,
        options,
        key=key,
        format_func=named,
        label_visibility="collapsed" if hidden else "visible",
        persist_state="session",
    )
    if chosen != default:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    return chosen
