"""A concept task in a folder, with dictionaries that hold what was planted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_fakes import LEVEL, FakeConceptModel, Planted
from earwitness.plugins import Adapter
from earwitness.task import MetricCard, Task, read_task
from earwitness.tracks.concept import Activation, Dictionary

METRICS: list[dict[str, Any]] = [
    {"metric": "probe_r2"},
    {"metric": "probe_r2", "parameters": {"factor": "pitch"}},
    {"metric": "probe_r2", "parameters": {"training": "correlated"}},
    {"metric": "sparse_probe_r2", "parameters": {"factor": "every", "k": 1}},
    {"metric": "probe_accuracy", "parameters": {"factor": "pitch", "classes": 0}},
    {"metric": "steer", "parameters": {"factor": "loudness"}},
    {"metric": "steer", "parameters": {"factor": "loudness", "k": 1}},
    {"metric": "fvu"},
    {"metric": "l0"},
    {"metric": "dead"},
    {"metric": "stability"},
]


def dataset(**said: Any) -> Adapter:
    """A dataset's adapter that says some things of itself and loads nothing."""
    return Adapter("stems", "concept_fakes", list, SimpleNamespace(**said))


def task(folder: Path, metrics: list[dict[str, Any]] | None = None, items: int = 2) -> Task:
    """A concept task whose dataset and model are patched in."""
    used = metrics or METRICS
    lines = [
        'id = "fake_concept"',
        "version = 1",
        'track = "concept"',
        *(f'{key} = "x"' for key in ("title", "licence", "reference")),
        f"main_metric = {json.dumps(MetricCard(**used[0]).id)}",
        '[model]\nadapter = "encodec"\nsource = "model"',
        f'[dataset]\nadapter = "stems"\nidentity = "fake_concept@1"\nitems = {items}',
        "[budget]\nseconds = 60\nforwards = 1000",
    ]
    for metric in used:
        lines += ["[[metrics]]", f'metric = "{metric["metric"]}"']
        given = ", ".join(f"{key} = {json.dumps(value)}" for key, value in metric.get("parameters", {}).items())
        lines += [f"parameters = {{ {given} }}"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text("\n".join(lines) + "\n")
    return read_task(folder)


def raw(width: int) -> Dictionary:
    """The latents themselves."""
    return Dictionary(np.eye(width), np.zeros(width), np.eye(width), np.zeros(width), Activation.IDENTITY)


def holding(found: Planted) -> Dictionary:
    """A feature for each planted axis and its reverse: what loudness and brightness lie along."""
    axes = np.concatenate([found.axes, -found.axes])
    return Dictionary(axes.T, np.zeros(4), axes, found.offset, Activation.RELU)


def untrained(width: int, features: int, seed: int) -> Dictionary:
    """A random dictionary of one active feature a frame."""
    rows = np.random.default_rng(seed).normal(size=(features, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Dictionary(rows.T, np.zeros(features), rows, np.zeros(width), Activation.TOPK, k=1)


def estimators(model: FakeConceptModel, found: Planted) -> dict[str, Any]:
    """What reads each factor off decoded sound: the planted axes; of pitch the strongest of its directions."""

    def latents(audio: NDArray[np.float32]) -> NDArray[np.float64]:
        basis = model.network.basis.numpy()
        return audio.reshape(-1, basis.shape[1]).astype(np.float64) @ basis.T / LEVEL - found.offset

    def along(axis: NDArray[np.float64], scale: float) -> Any:
        return lambda audio, rate: float(scale * (latents(audio) @ axis).mean())

    return {
        "pitch": lambda audio, rate: float((latents(audio).mean(0) @ found.directions[:12].T).argmax()),
        "loudness": along(found.axes[0], 5.0),
        "brightness": along(found.axes[1], 1.0),
    }
