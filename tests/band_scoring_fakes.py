"""A band task in a folder, its records, a judge that listens to one place for each word, and the fake model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from band_fakes import KNOWN, PLACES, FakeBandModel, fake_record
from earwitness.datasets import BandRecord
from earwitness.task import MetricCard, Task, read_task

METRICS: list[dict[str, Any]] = [
    {"metric": "tf_ap"},
    {"metric": "tf_iou"},
    {"metric": "precision", "parameters": {"cut": "half"}},
    {"metric": "recall", "parameters": {"cut": "half"}},
    {"metric": "f1"},
    {"metric": "time_ap"},
    {"metric": "frequency_ap"},
    {"metric": "profile_corr"},
    {"metric": "tf_pointing", "parameters": {"tolerance": 1}},
    {"metric": "truth_density"},
    {"metric": "swap_corr"},
    {"metric": "deletion_drop", "parameters": {"top": 25}},
    {"metric": "deletion_others", "parameters": {"top": 25}},
    {"metric": "deletion_drop", "parameters": {"top": 50}},
    {"metric": "deletion_noise"},
]
PROMPTS = ("a bass and a flute", "trumpet with some organ playing", "the drum over bell at night", "a cymbal and bass")


class FakeJudge:
    """Hears an instrument by how loud the sound is at the instrument's place."""

    labels = tuple(name.capitalize() for name in (*KNOWN, "dog"))

    def __init__(self, model: FakeBandModel) -> None:
        self.model = model
        self.sample_rate = model.sample_rate

    def logits(self, audio: Tensor) -> Tensor:
        """Logits [B, C]: 0 where the loudest cell near a place is 1.5 above silence."""
        mel = self.model.mel(audio)
        columns = [self._near(mel, *PLACES[name]) - mel.flatten(1).median(1).values - 1.5 for name in KNOWN]
        return torch.stack([*columns, torch.full((len(audio),), -3.0)], dim=1)

    def probabilities(self, audio: Tensor) -> Tensor:
        """Softmax of the logits."""
        return self.logits(audio).softmax(-1)

    def presence(self, audio: Tensor) -> Tensor:
        """Sigmoid of the logits."""
        return self.logits(audio).sigmoid()

    def _near(self, mel: Tensor, time: float, height: float) -> Tensor:
        at, bin_ = int(time * mel.shape[2]), int(height * mel.shape[1])
        return mel[:, max(0, bin_ - 1) : bin_ + 2, max(0, at - 1) : at + 2].flatten(1).mean(1)


def task(folder: Path, metrics: list[dict[str, Any]] | None = None, items: int = 4, judge: bool = True) -> Task:
    """A band task whose dataset, model and judge are patched in."""
    used = metrics or METRICS
    lines = [
        'id = "fake_band"',
        "version = 1",
        'track = "band"',
        *(f'{key} = "x"' for key in ("title", "licence", "reference")),
        f"main_metric = {json.dumps(MetricCard(**used[0]).id)}",
        '[model]\nadapter = "audioldm2"\nsource = "model"',
        f'[dataset]\nadapter = "stems"\nitems = {items}',
        "[budget]\nseconds = 60\nforwards = 1000",
        *(['[[judges]]\nname = "cnn"\nadapter = "cnn"\nsource = "judges/cnn"'] if judge else []),
    ]
    for metric in used:
        lines += ["[[metrics]]", f'metric = "{metric["metric"]}"']
        given = ", ".join(f"{key} = {json.dumps(value)}" for key, value in metric.get("parameters", {}).items())
        lines += [f"parameters = {{ {given} }}"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text("\n".join(lines) + "\n")
    return read_task(folder)


def records(model: FakeBandModel, count: int = 4, first: int = 0) -> list[BandRecord]:
    """Records of different clips, the prompts in turn."""
    return [
        fake_record(model, PROMPTS[index % len(PROMPTS)], seed=index, name=f"clip-{index}")
        for index in range(first, first + count)
    ]


def with_stems(record: BandRecord, change: Any) -> BandRecord:
    """The record with its stems [I, S] changed by a function."""
    return replace(record, stems=lambda rate, names: change(record.stems(rate, names)))


def silent(stems: np.ndarray) -> np.ndarray:
    """Stems of which the second has no sound."""
    quiet = stems.copy()
    quiet[1] = 0
    return quiet
