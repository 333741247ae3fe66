"""The leaderboard: pages over the board. Run with `earwitness leaderboard`; nothing is computed here."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from reading import board_file, tasks
from state import pick

STYLE = "<style>.stMainBlockContainer { padding-top: 4.6rem; padding-bottom: 4rem; max-width: 84rem }</style>"

st.set_page_config(page_title="Earwitness", page_icon="👂", layout="wide")
st.html(STYLE)
st.logo(Path(__file__).parent / "logo.svg", size="large")

# Not in a folder called pages: Streamlit would serve its files as pages of their own until this script has run once.
BOARD, ABOUT = "Board", "About"
PAGES = [
    st.Page("screens/board.py", title=BOARD, url_path="board", default=True),
    st.Page("screens/ranking.py", title="Ranking", url_path="ranking"),
    st.Page("screens/compare.py", title="Compare", url_path="compare"),
    st.Page("screens/item.py", title="Listen", url_path="item"),
    st.Page("screens/task.py", title="Task", url_path="task"),
    st.Page("screens/audit.py", title="Metrics", url_path="metrics"),
    st.Page("screens/submission.py", title="Submission", url_path="submission"),
    st.Page("screens/history.py", title="Changes", url_path="changes"),
    st.Page("screens/about.py", title=ABOUT, url_path="about"),
]
page = st.navigation(PAGES, position="top")

if board_file() is None:
    st.title("No board yet")
    st.markdown("Make runs and build the board, then reload this page:")
    st.code("earwitness run --task micro_prompt --submission random,occlusion\nearwitness board", language="shell")
    st.stop()

names = tasks()
if page.title not in (BOARD, ABOUT) or st.query_params.get("task") not in (None, *names):
    picker, _ = st.columns(2)
    with picker:
        pick("Task", list(names), "task", next(iter(names)), names.__getitem__, hidden=True)
page.run()
