"""A task around a tiny randomly initialised model, with captions in MusicCaps' format and metrics that ask no judge."""

from collections.abc import Sequence
from pathlib import Path

from tiny import tiny_musicgen

PROMPTS = ("a dog barks loudly", "the siren wails far", "rain near a bell", "a quiet bell rings", "the dog barks")
HEADER = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval"

TASK = """
id = "tiny_prompt"
version = 1
track = "prompt"
title = "A tiny model"
licence = "Apache-2.0"
reference = "none"
main_metric = "logit_kl_f@top50"

[model]
adapter = "musicgen"
source = "model"

[dataset]
adapter = "musiccaps"
source = "{captions}"
items = 1000

[budget]
seconds = 60.0
forwards = 20000

[[metrics]]
metric = "logit_kl_f"
headline = true
parameters = {{ mask = "top50" }}

[[metrics]]
metric = "logit_kl_cf"
parameters = {{ mask = "top50" }}

[[metrics]]
metric = "size"
"""


def make_tiny_task(folder: Path, prompts: Sequence[str] = PROMPTS) -> Path:
    """A folder with a card, a model and captions; returns it."""
    tiny_musicgen(folder / "model")
    lines = [f'clip{i:03d},0,10,/m/1,[],"{prompt}",1,False,True' for i, prompt in enumerate(prompts)]
    captions = folder / "musiccaps-public.csv"
    captions.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (folder / "task.toml").write_text(TASK.format(captions=captions), encoding="utf-8")
    return folder
