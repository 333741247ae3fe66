"""A speech task in a folder, its records, and the fake model that every scoring of it gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from earwitness.datasets import SpeechRecord, SpeechTruth, Stretch
from earwitness.errors import InvalidItemError
from earwitness.task import Task, read_task
from speech_fakes import FakeSpeechModel

METRICS = [
    {"metric": "deletion_wer", "parameters": {"fill": "mean", "against": "reference"}},
    {"metric": "insertion_wer", "parameters": {"fill": "mean", "against": "hypothesis"}},
    {"metric": "deletion_bleu"},
    {"metric": "deletion_token", "parameters": {"fill": "mean"}},
    {"metric": "deletion_token_others", "parameters": {"fill": "marginal"}},
    {"metric": "deletion_prefix"},
    {"metric": "deletion_shift"},
    {"metric": "size_spectrogram"},
    {"metric": "size_prefix"},
    {"metric": "interval_ap"},
    {"metric": "pointing", "parameters": {"level": "phoneme"}},
    {"metric": "mass_inside", "parameters": {"level": "word"}},
    {"metric": "prefix_ap"},
]
SECONDS = 1.0


def task(
    folder: Path,
    metrics: list[dict[str, Any]] | None = None,
    items: int = 4,
    scoring: Mapping[str, str | float] | None = None,
) -> Task:
    """A speech task whose dataset is patched in."""
    card = {
        "id": "fake_speech",
        "version": 1,
        "track": "speech",
        "title": "Fake",
        "licence": "Apache-2.0",
        "reference": "none",
        "main_metric": "",
        "model": {"adapter": "speech2text", "source": "model"},
        "dataset": {"adapter": "spoken", "items": items},
        "budget": {"seconds": 60, "forwards": 1000},
        "scoring": scoring or {},
        "metrics": metrics or METRICS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(_toml(card))
    return read_task(folder)


def _toml(card: dict[str, Any]) -> str:
    from earwitness.task import MetricCard

    card["main_metric"] = MetricCard(**card["metrics"][0]).id
    lines = [f"{key} = {json.dumps(value)}" for key, value in card.items() if not isinstance(value, dict | list)]
    for name in ("model", "dataset", "budget", "scoring"):
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in card[name].items())]
    for metric in card["metrics"]:
        lines += ["[[metrics]]", f'metric = "{metric["metric"]}"']
        parameters = ", ".join(f"{key} = {json.dumps(value)}" for key, value in metric.get("parameters", {}).items())
        lines += [f"parameters = {{ {parameters} }}"]
    return "\n".join(lines) + "\n"


def audio(seed: int, rate: int) -> np.ndarray:
    """Noise whose level changes eight times a second."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0.005, 0.5, 8), rate // 8)
    return (level * rng.standard_normal(len(level))).astype(np.float32).clip(-1, 1)


def record(index: int, model: FakeSpeechModel) -> SpeechRecord:
    """A record whose reference is what the model hears, each word said in its share of the second.

    The first word tells those from the third on.
    """
    import torch

    heard = model.transcribe(torch.from_numpy(model.features(audio(index, model.sample_rate))[None]))[0]
    text = model.text([int(token) for token in heard])
    words = text.split()
    edges = np.linspace(0, SECONDS, len(words) + 1).tolist()
    stretches = tuple(Stretch(word, edges[i], edges[i + 1]) for i, word in enumerate(words))
    phonemes = tuple(
        (
            Stretch("a", each.start, (each.start + each.stop) / 2),
            Stretch("b", (each.start + each.stop) / 2, each.stop),
        )
        for each in stretches
    )
    follows = tuple(0 if place >= 2 else None for place in range(len(words)))
    truth = SpeechTruth(stretches, phonemes, tuple(range(len(words))), tuple((0,) for _ in words), follows)
    return SpeechRecord(f"utterance-{index}", text, f"utterance-{index}", lambda rate: audio(index, rate), truth)


def records(count: int, model: FakeSpeechModel) -> list[SpeechRecord]:
    """Records of the first utterances that the model hears at least three tokens in."""
    found: list[SpeechRecord] = []
    index = 0
    while len(found) < count:
        made = record(index, model)
        if len(made.reference.split()) >= 3:
            found.append(made)
        index += 1
    return found


def broken(reason: str) -> SpeechRecord:
    """A record whose file is no use."""

    def read(rate: int) -> np.ndarray:
        raise InvalidItemError(reason)

    return SpeechRecord("broken", "go", "broken", read)
