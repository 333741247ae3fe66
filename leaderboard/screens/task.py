"""One task: its card, whether its truth is certified, and the floor and ceiling of each metric."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st
from life import on_task
from reading import Record, metrics, parsed, task
from wording import ARROWS, inert, plural, with_interval, without_images


def facts(picked: Record, card: Record) -> None:
    st.title(inert(picked["title"]))
    st.caption(f"`{picked['task']}` version {picked['version']} · track {picked['track']} · hash {picked['task_hash']}")
    if picked["note"]:
        st.info(picked["note"])
    on_task(picked)
    if not card:
        return
    model, data, budget = card["model"], card["dataset"], card["budget"]
    source = f"{data['adapter']}: {data['source'] or 'made'}, {data['split']} split, {plural(data['items'], 'item')}"
    rows = {
        "Model": f"{picked['model']} ({model['adapter']}, {model['revision']}){_extra(model['parameters'])}",
        "Dataset": f"{source}, seed {data['seed']}{_extra(data['parameters'])}",
        "Judges": ", ".join(f"{judge['name']} ({judge['source']})" for judge in card["judges"]) or "none",
        "Generation seeds": ", ".join(map(str, card["generation_seeds"])),
        "Budget an item": f"{budget['seconds']:g} CPU seconds, {budget['forwards']:,} forward equivalents",
        "Main metric": card["main_metric"],
        "Licence": card["licence"],
        "Reference": card["reference"],
    }
    if card["superseded_by"]:
        rows["Superseded by"] = card["superseded_by"]
    _pairs(rows)


def _extra(parameters: Record) -> str:
    return "".join(f", {key} {value}" for key, value in parameters.items())


def ends(picked: Record) -> None:
    """Floor and ceiling of each metric."""
    measured = metrics(picked["task_key"])
    st.subheader("Floors and ceilings")
    st.caption(
        "The floor is the random explainer; the ceiling is the best explanation that search finds, the truth "
        "among them. Where the truth itself is scored as an explanation, it has a column of its own. "
        "Whether a metric is informative was decided when the task was audited, by a paired test of the ceiling's gain "
        "over random; one that is not enters no rank. Share: of the score's variance between this board's entrants."
    )
    says = {True: "yes", False: "no", None: "not audited"}
    rows = [
        {
            "Metric": f"{metric['metric']} {ARROWS[metric['direction']]}",
            "Headline": bool(metric["headline"]),
            "Informative": says[metric["informative"]] if metric["direction"] != "none" else "–",
            "Share": None if metric["share"] is None else f"{100 * metric['share']:.0f} %",
            "Random": with_interval(metric, "floor", "floor_"),
            "Ceiling": with_interval(metric, "ceiling", "ceiling_"),
            "Truth": with_interval(metric, "truth", "truth_"),
            "Anti-oracle": with_interval(metric, "anti", "anti_"),
            "Items": metric["items"],
            "What it is": metric["summary"],
        }
        for metric in measured
    ]
    wide = {"Metric": st.column_config.TextColumn(width=190)}
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", column_config=wide)


def certificate(picked: Record) -> None:
    """What interventions on the model showed of the truth."""
    found = parsed(picked["certificate"])
    st.subheader("Certificate")
    if found is None:
        st.caption("No certificate is stored with this task: nothing that its data say was tried on its model.")
        return
    st.caption("A truth is used only where an intervention on this very model shows it.")
    plain = {key: value for key, value in found.items() if not isinstance(value, dict | list)}
    if plain:
        _pairs({key: _cell(value) for key, value in plain.items()})
    for key, value in found.items():
        if key in plain:
            continue
        st.markdown(f"**{key.replace('_', ' ')}**")
        if isinstance(value, dict) and value and all(isinstance(entry, dict) for entry in value.values()):
            rows = [{"": name, **{k: _cell(v) for k, v in entry.items()}} for name, entry in value.items()]
            st.dataframe(pd.DataFrame(rows), hide_index=True, placeholder="–")
        elif isinstance(value, dict) and not any(isinstance(entry, dict | list) for entry in value.values()):
            _pairs({name: _cell(entry) for name, entry in value.items()})
        else:
            st.json(value, expanded=1)


def _pairs(rows: dict[str, str]) -> None:
    """Names and values, one under the other."""
    st.table(pd.DataFrame({"": rows.values()}, index=list(rows)), border="horizontal", hide_header=True)


def _cell(value: object) -> str:
    """A value of a certificate as text: a mean with its interval in one line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict) and {"mean", "low", "high"} <= set(value):
        if value["mean"] is None:
            return "–"
        rest = "".join(f", {_cell(entry)} {key}" for key, entry in value.items() if key not in {"mean", "low", "high"})
        return f"{_cell(value['mean'])} [{_cell(value['low'])}, {_cell(value['high'])}]{rest}"
    return value if isinstance(value, str) else json.dumps(value)


def show() -> None:
    picked = task()
    card = parsed(picked["card"]) or {}
    facts(picked, card)
    ends(picked)
    certificate(picked)
    if picked["readme"]:
        st.divider()
        st.markdown(without_images(picked["readme"]))
    if card:
        with st.expander("The card"):
            st.json(card, expanded=1)


show()
