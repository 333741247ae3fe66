"""What is picked on the pages, kept in the address so that a view can be shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from wording import plain


def pick(
    label: str, options: Sequence[str], key: str, default: str, named: Callable[[str], str] = str, hidden: bool = False
) -> str:
    """A box to pick one of the options; the address holds the option itself, and nothing while it is the default.

    An option that the address asks for counts once, when the address is new; one that there is not is named in a line.
    """
    asked, seen = st.query_params.get(key), f"{key} in the address"
    new = asked is not None and asked != st.session_state.get(seen)
    if new or key not in st.session_state:
        st.session_state[key] = asked
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
    if new and asked not in options:
        st.warning(
            f"{label}: the address asks for {plain(str(asked)[:80])}, which is not here; this is {plain(chosen)}."
        )
    if chosen != default:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[seen] = st.query_params.get(key)
    return chosen


def slide(
    label: str, options: Sequence[float], key: str, first: float, named: Callable[[float], str], hidden: bool = False
) -> float:
    """A slider over numbers, at `first` to begin with; the address holds the number while it is another."""
    chosen: float = st.select_slider(
        label,
        options,
        value=_asked(options, key, first),
        format_func=named,
        key=key,
        label_visibility="collapsed" if hidden else "visible",
    )
    _keep(key, chosen, first)
    return chosen


def pick_number(label: str, options: Sequence[int], key: str, first: int, named: Callable[[int], str]) -> int:
    """A box to pick one of some numbers, `first` to begin with; the address holds the number while it is another."""
    place = list(options).index(int(_asked(options, key, first)))
    chosen: int = st.selectbox(label, options, index=place, format_func=named, key=key)
    _keep(key, chosen, first)
    return chosen


def _asked(options: Sequence[float], key: str, first: float) -> float:
    """The option that the address asks for, the first where it asks for none of them."""
    asked = st.query_params.get(key, "")
    return next((option for option in options if f"{option:g}" == asked), first)


def _keep(key: str, chosen: float, first: float) -> None:
    if chosen != first:
        st.query_params[key] = f"{chosen:g}"
    elif key in st.query_params:
        del st.query_params[key]
