"""One item: what was asked, what each explanation says, and what people see and hear of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
import views
from player import files, switching
from reading import Record, exhibits, item_arrays, metrics, parsed, query, ranking, task
from sounds import play
from state import pick
from typical import failing, heard, leader_of, of_headlines, typical
from wording import ARROWS, inert, number, plural

NOBODY = "nobody"
# Label of the sound that is explained, where an item is one sound. A text below it would be drawn on the page.
ORIGINAL = "original"
# Items at hand on which the leader's value is below random's.
FURTHEST = 5


def pick_item(picked: Record, view: Any) -> Record | None:
    found = query("SELECT * FROM inputs WHERE task_key = ? ORDER BY item", picked["task_key"])
    if not found:
        st.info("The board holds no items of this task.")
        return None
    by_id = {row["item"]: row for row in found}
    titles = {item: view.title(parsed(row["fields"]) or {}) or row["problem"] for item, row in by_id.items()}
    order = list(by_id)
    box, beside = st.columns([10, 2], vertical_alignment="bottom")
    with box:
        key, leader = picked["task_key"], leader_of(picked["task_key"])
        first = typical(of_headlines(key, leader), heard(key, leader, order))
        chosen = pick("Item", order, "item", first, lambda item: f"{item}: {titles[item]}")
    place = order.index(chosen)
    with beside, st.container(horizontal=True):
        st.button("←", on_click=step, args=(order, place - 1), disabled=place == 0, width="stretch", help="Item before")
        last = place == len(order) - 1
        st.button("→", on_click=step, args=(order, place + 1), disabled=last, width="stretch", help="Next item")
    return by_id[chosen]


def step(order: list[str], place: int) -> None:
    st.session_state["item"] = order[place]


def where_the_leader_fails(picked: Record) -> None:
    """On how many items the leader's value is below random's, with the furthest of them at hand."""
    leader, items, both = failing(picked)
    if not both:
        return
    main, floor = picked["main_metric"], picked["floor"]
    said = (
        f"First is shown, of items with sounds, that on which the values of {inert(leader)}, the leader, lie nearest "
        "to their middle."
    )
    if not items:
        st.caption(f"{said} On no item of {both} is its {main} below that of {floor}.")
        return
    st.caption(f"{said} On {len(items)} of {plural(both, 'item')} its {main} is below that of {floor}; furthest on:")
    with st.container(horizontal=True):
        for item in items[:FURTHEST]:
            st.button(item, key=f"fails {item}", on_click=go_to, args=(item,))


def go_to(item: str) -> None:
    st.session_state["item"] = item


def original(item: Record, view: Any) -> None:
    st.title(inert(view.title(parsed(item["fields"]) or {}) or item["item"]))
    if item["problem"]:
        st.warning(f"This item cannot be explained: {inert(item['problem'])}")
    if not view.ORIGINAL:
        return
    left, _ = st.columns(2, gap="large")
    with left:
        play(view.ORIGINAL, exhibits(item["task_key"], item["item"]).get((ORIGINAL, ""), ""))


def explanation(picked: Record, item: Record, view: Any, entrant: str) -> None:
    found = query(
        "SELECT * FROM items WHERE task_key = ? AND entrant = ? AND item = ?", picked["task_key"], entrant, item["item"]
    )
    if not found:
        st.info(f"{entrant} was not run on this item.")
        return
    left = found[0]
    if left["status"] not in ("ok", "skipped"):
        st.error(inert(f"{left['status']}: {left['reason']}"))
    fields = described(item, entrant) | {"entrant": entrant, "values": values_of(picked, item, entrant)}
    answered = item_arrays(left["explanation"], item["item"]) if view.GIVEN else {}
    given = item_arrays(item["arrays"], item["item"]) if view.GIVEN else {}
    view.draw(fields, given, answered, item["seconds"])
    if view.SOUNDS:
        whole = {view.ORIGINAL: fields["exhibits"].get((ORIGINAL, ""), "")} if view.ORIGINAL else {}
        parts = {title: fields["exhibits"].get((label, ""), "") for label, title in view.SOUNDS.items()}
        switching(files(whole | parts), f"{item['item']} {entrant}")
    if left["seconds"] is None:
        st.caption(f"Made elsewhere: cost unverified · run `{left['run']}`")
        return
    passes = f"{plural(round(left['forwards']), 'forward')} · {plural(round(left['backwards']), 'backward')}"
    room = left.get("plausible_forwards")
    room = (
        "" if room is None or pd.isna(room) else f"; the seconds leave room for about {plural(round(room), 'forward')}"
    )
    st.caption(f"{number(left['seconds'])} CPU s · {passes} (self-reported{room}) · run `{left['run']}`")


def values_of(picked: Record, item: Record, entrant: str) -> dict[str, float | None]:
    """An entrant's values on an item, by metric."""
    found = query(
        "SELECT metric, value FROM item_values WHERE task_key = ? AND item = ? AND entrant = ?",
        *(picked["task_key"], item["item"], entrant),
    )
    return {row["metric"]: row["value"] for row in found}


def described(item: Record, *entrants: str) -> dict[str, Any]:
    """Fields of an item; under `exhibits` paths of its own and of entrants' exhibits, by label and part."""
    fields = parsed(item["fields"]) or {}
    return {**fields, "exhibits": exhibits(item["task_key"], item["item"], *entrants)}


def values(picked: Record, item: Record, entrants: list[str]) -> None:
    """The item's value of each metric."""
    found = query("SELECT * FROM item_values WHERE task_key = ? AND item = ?", picked["task_key"], item["item"])
    table: dict[str, dict[str, float]] = {}
    for row in found:
        table.setdefault(row["metric"], {})[row["entrant"]] = row["value"]
    rows = {
        metric["metric"]: {
            "Metric": f"{metric['metric']} {ARROWS[metric['direction']]}",
            **{name: table[metric["metric"]].get(name) for name in entrants},
            "random, all items": metric["floor"],
            "ceiling, all items": metric["ceiling"],
        }
        for metric in metrics(picked["task_key"])
        if metric["metric"] in table
    }
    if not rows:
        return
    st.header("Values on this item")
    headline = [rows[m["metric"]] for m in metrics(picked["task_key"]) if m["headline"] and m["metric"] in rows]
    _numbers(headline)
    with st.expander(f"All {len(rows)} metrics", expanded=not headline):
        _numbers(list(rows.values()))


def _numbers(rows: list[Record]) -> None:
    if rows:
        formats = {name: st.column_config.NumberColumn(format="%.3f") for name in rows[0] if name != "Metric"}
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=formats, height="content", placeholder="")


def show() -> None:
    picked = task()
    view = views.find(picked["track"])
    if view is None:
        st.info(f"No view draws items of the track {picked['track']!r}. {views.fault(picked['track'])}".rstrip())
        return
    item = pick_item(picked, view)
    if item is None:
        return
    where_the_leader_fails(picked)
    original(item, view)
    view.choose(described(item))
    names = [entrant["entrant"] for entrant in ranking(picked["task_key"])]
    left, right = st.columns(2, gap="large")
    with left:
        first = pick("Explanation by", names, "a", names[0])
        explanation(picked, item, view, first)
    with right:
        others = [NOBODY, *(name for name in names if name != first)]
        preset = picked["floor"] if picked["floor"] in others else NOBODY
        second = pick("compared with", others, "b", preset)
        if second != NOBODY:
            explanation(picked, item, view, second)
    values(picked, item, list(dict.fromkeys(name for name in (first, second) if name != NOBODY)))


show()
