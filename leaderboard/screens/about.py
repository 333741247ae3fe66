"""What this is, how to read it in a minute, what it does not say, and how to cite it."""

from __future__ import annotations

import streamlit as st
from reading import query

READING = """
* **An explanation** says what an audio model listened to: words of a prompt, cells of a spectrogram, a band of
  frequencies, features of its inside. **Faithful** is what holds when the model is asked again with that part kept,
  taken away or turned.
* **The score** is the mean of a task's headline metrics, each from 0, the random explainer, to 1, the ceiling: the best
  explanation that search finds. A metric that the task's audit cannot trust is in no score.
* **The sentence** on top of a task says who leads, who is not told apart from it, the cheapest of them, how many items
  would settle it, and the largest caveat. All its verdicts are those of one paired test on the same items.
* **Better** is said only where that test excludes chance for everything that stands beside it at once; **not told
  apart** means that these items do not settle it, not that two are the same; **equivalent** that the difference is
  proven to be small.
* **Group and ranks**: all of a group are better than all of the next; a range of ranks holds those not ruled out.
* **CPU seconds and passes** are medians of one explanation. **Controls** (random, uniform and the like) know nothing of
  the model: who is not better than they are has shown nothing.
* **Every number leads to its run**: *Ranking* names runs and recipes, *Submission* has the command that makes them
  again, *Compare* leads to the items where two differ most, and *Listen* plays them. The address of a page holds
  what is picked on it.
"""
LIMITS = """
* **Micro-models** are small models of the published architectures on sounds that we made: what holds for them need not
  hold for the published checkpoints.
* **They were trained to be masked**, which favours explainers that remove parts of the input.
* **Faithful to an intervention**: what is removed, by which operator, heard by which judge. *Ranks under a change*
  shows what is left of an order when these are exchanged.
* **Metrics are audited, not proven**: one that passes may still be gamed by what nobody tried.
* **Ceilings are what our search found**; an explanation may lie above them.
* **Intervals hold the noise of items and seeds that were drawn, and no more.** A gap that is not told may be there.
"""
CITATION = """@software{earwitness,
  title = {{Earwitness: a benchmark of explanations of audio generative models}},
  author = {{The Earwitness developers}},
  version = {%s},
  note = {Board %s}
}"""


def show() -> None:
    from importlib.metadata import PackageNotFoundError, version

    from reading import board_file

    try:
        installed = version("earwitness")
    except PackageNotFoundError:
        installed = "unknown"
    file = board_file()
    st.title("About")
    st.markdown(
        "Does the explanation say what the model actually heard? Here it is measured, and said how sure that is."
    )
    st.header("How to read this")
    st.markdown(READING)
    st.header("What it does not say")
    st.markdown(LIMITS)
    st.header("How to cite it")
    st.code(CITATION % (installed, "" if file is None else file.stem), language="bibtex", wrap_lines=True)
    st.caption("Name the task with its version and the submission with its hash: both stand on their pages.")
    licences = query("SELECT DISTINCT licence FROM submissions WHERE licence <> '' ORDER BY licence")
    if licences:
        st.caption(f"Submissions on this board are under {', '.join(row['licence'] for row in licences)}.")


show()
