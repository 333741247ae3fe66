"""A task of the made world of scenes around a tiny random model, and what strangers do with its items."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tiny import tiny_musicgen

TASK = """
id = "tiny_scenes"
version = 1
track = "prompt"
title = "A tiny model on made scenes"
licence = "Apache-2.0"
reference = "none"
main_metric = "logit_kl_f@top50"

[model]
adapter = "musicgen"
source = "model"

[dataset]
adapter = "scenes"
items = 2

[budget]
seconds = 60.0
forwards = 20000

[[metrics]]
metric = "logit_kl_f"
headline = true
parameters = { mask = "top50" }

[[metrics]]
metric = "size"
"""


def make_scenes_task(folder: Path) -> Path:
    """A folder with a card and a model; returns it."""
    tiny_musicgen(folder / "model")
    (folder / "task.toml").write_text(TASK, encoding="utf-8")
    return folder


def fill(submission: Path, seed: int = 0) -> None:
    """Put weights at random in the place of a submission's arrays, as numpy alone would be used for it."""
    random = np.random.default_rng(seed)
    for path in sorted((submission / "explanations").rglob("*.safetensors")):
        header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
        save_file({"weights": random.random(header["weights"]["shape"]).astype(np.float32)}, path)
