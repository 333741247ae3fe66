"""One task: its card, whether its truth is certified, and the floor and ceiling of each metric."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st
from life import on_task
from reading import Record, metrics, parsed, task
from wording import ARROWS, as_section, inert, plural, unsigned, with_interval

from earwitness.board.cells import in_words

ENDS = {"Random": "floor", "Ceiling": "ceiling", "Truth": "truth", "Anti-oracle": "anti"}


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
    st.header("Floors and ceilings")
    st.caption(
        "The floor is the random explainer; the ceiling is the best explanation that search finds, the truth "
        "among them. Where the truth itself is scored as an explanation, it has a column of its own. "
        "Whether a metric is informative was decided when the task was audited, by a paired test of the ceiling's gain "
        "over random; one that is not enters no rank. Share: of the score's variance between this board's entrants."
    )
    intervals = st.toggle("Intervals", key="intervals", bind="query-params")
    says = {True: "yes", False: "no", None: "not audited"}
    rows = [
        {
            "Metric": f"{metric['metric']} {ARROWS[metric['direction']]}",
            "Headline": bool(metric["headline"]),
            "Informative": says[metric["informative"]] if metric["direction"] != "none" else "–",
            "Share": None if metric["share"] is None else round(metric["share"], 2),
            **{
                name: with_interval(metric, end, f"{end}_") if intervals else unsigned(metric[end])
                for name, end in ENDS.items()
            },
            "Items": metric["items"],
            "What it is": metric["summary"].replace("`", ""),
        }
        for metric in measured
    ]
    config: Record = {
        "Metric": st.column_config.TextColumn(width=260),
        "Share": st.column_config.NumberColumn(
            format="percent", help="Of what parts the scores of this board's submissions"
        ),
    }
    frame = pd.DataFrame(rows)
    if not intervals:
        frame = frame.astype(dict.fromkeys(ENDS, float))
        config |= {name: st.column_config.NumberColumn(format="%.2f") for name in ENDS}
    st.dataframe(frame, hide_index=True, height="content", column_config=config, placeholder="–")


def certificate(picked: Record) -> None:
    """What interventions on the model showed of the truth."""
    found = parsed(picked["certificate"])
    st.header("Certificate")
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
        elif isinstance(value, dict):
            _pairs({name.replace("_", " "): _listed(entry) for name, entry in value.items()})
        else:
            st.markdown(inert(_listed(value)))


def _pairs(rows: dict[str, str]) -> None:
    """Names and values, one under the other."""
    st.table(pd.DataFrame({"": rows.values()}, index=list(rows)), border="horizontal", hide_header=True)


def _listed(value: object) -> str:
    """A value of a certificate as text, a list as its entries side by side."""
    nested = isinstance(value, dict | list) and not (isinstance(value, dict) and "mean" in value)
    return in_words(value) if nested else _cell(value)


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
        st.markdown(as_section(picked["readme"]))
    if card:
        with st.expander("The card"):
            st.json(card, expanded=1)


show()
