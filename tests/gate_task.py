"""A task that a gate can be tried on in seconds: a tiny random model, captions, metrics that ask no judge."""

from __future__ import annotations

from itertools import islice, product
from pathlib import Path

from tiny import tiny_musicgen

HEADER = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval"

CARD = """
id = "tiny_gate"
version = 1
track = "prompt"
title = "A tiny model"
licence = "Apache-2.0"
reference = "none"
main_metric = "{metrics[0]}@top30"

[model]
adapter = "musicgen"
source = "model"

[dataset]
adapter = "musiccaps"
identity = "tiny_gate@1"
source = "{captions}"
items = {items}

[budget]
seconds = 60.0
forwards = 20000
"""


METRIC = """
[[metrics]]
metric = "{metric}"
parameters = {{ mask = "top30" }}
"""


def prompts(count: int) -> list[str]:
    """Different captions of five or six words."""
    parts = (["a", "the"], ["loudly", "quiet", "far", "near"], ["dog barks", "siren wails", "bell rings", "rain"])
    told = (f"{first} {adverb} {sound} {tail}" for first, adverb, sound in product(*parts) for tail in ("rain", "near"))
    return list(islice(told, count))


def make_gate_task(folder: Path, items: int, metrics: tuple[str, ...] = ("logit_kl_f", "logit_kl_cf")) -> Path:
    """A folder with a card, a model and captions; returns it."""
    tiny_musicgen(folder / "model")
    lines = [f'clip{i:03d},0,10,/m/1,[],"{prompt}",1,False,True' for i, prompt in enumerate(prompts(items))]
    captions = folder / "musiccaps-public.csv"
    captions.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    card = CARD.format(captions=captions, items=items, metrics=metrics)
    parts = [card, *(METRIC.format(metric=metric) for metric in metrics)]
    (folder / "task.toml").write_text("".join(parts), encoding="utf-8")
    return folder
