"""Synthetic runs with planted effects, in a run folder's layout, without a model."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from safetensors.numpy import save_file

from earwitness import metrics
from earwitness.results.audits import Audit, MetricAudit, ScoreWeights, write_audit
from earwitness.results.rows import MADE_ELSEWHERE, UNVERIFIED, Row, Status, write_part
from earwitness.results.sanity import Complexity, Sanity, SanityCheck, write_sanity
from earwitness.results.task_hashes import parted
from earwitness.task import read_task
from manifests import listed

WORDS = ("a", "loud", "bark", "then", "a", "quiet", "siren", "far", "away")
FRAMES, RATE = 50, 16000
HEADLINE = {"fid_f": "lower", "fid_cf": "higher", "kl_f": "lower", "kl_cf": "higher"}
RANGES = {"fid_f": (0.8, 0.1), "fid_cf": (0.2, 0.85), "kl_f": (2.5, 0.4), "kl_cf": (0.5, 3.0)}
"""Mean of the floor and of the ceiling."""
CERTIFICATE = {
    "task": "planted@1",
    "roles": {
        "class": {"certified": True, "rate": 0.97, "cost_nats": {"mean": 9.7, "low": 6.9, "high": 20.5, "items": 12}},
        "pitch": {"certified": False, "rate": None, "cost_nats": {"mean": None, "low": None, "high": None, "items": 0}},
    },
}
SKILL = {"gradient_input": 0.8, "occlusion": 0.75, "attention": 0.3, "uniform": 0.0, "random": 0.0}

ACCESS = {"occlusion": "black box", "attention": "white box", "gradient_input": "white box"}
"""What the planted cards say that methods need of the model; those of controls say nothing."""


@dataclass(frozen=True)
class Plan:
    """What is planted."""

    skill: dict[str, float] = field(default_factory=lambda: dict(SKILL))
    items: int = 30
    task: str = "planted"
    task_hash: str = "aaaabbbbccccdddd"
    seed: int = 0
    explainer_seeds: tuple[int, ...] = (0,)
    failing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Items by number on which a submission fails."""
    dull: tuple[str, ...] = ()
    """Metrics on which the ceiling is no better than random."""
    sounds: bool = False
    masks: tuple[str, ...] = ("top30",)
    changes: bool = False
    """Whether metrics under another judge and another removal operator are there."""
    audited: bool = True
    unaudited: tuple[str, ...] = ()
    """Metrics that the audit does not know."""
    weights: dict[str, float] | None = None
    """Of headline metrics, stored with the audit."""


def metric_cards(plan: Plan) -> list[dict[str, object]]:
    cards: list[dict[str, object]] = []
    for name in HEADLINE:
        cards += [{"metric": name, "parameters": {"mask": mask}, "headline": mask == "top30"} for mask in plan.masks]
        if plan.changes:
            cards.append({"metric": name, "parameters": {"mask": "top30", "removal": "scale", "judge": "cnn"}})
            cards.append({"metric": name, "parameters": {"mask": "top30", "removal": "null"}})
    cards += [
        {"metric": "word_ap", "parameters": {"roles": "class"}},
        {"metric": "shapley_spearman"},
        {"metric": "size"},
    ]
    return cards


def card(plan: Plan) -> dict[str, object]:
    return {
        "id": plan.task,
        "version": 1,
        "track": "prompt",
        "title": "Planted effects",
        "licence": "Apache-2.0",
        "reference": "none",
        "model": {"adapter": "musicgen", "source": "model"},
        "dataset": {"adapter": "scenes", "items": plan.items},
        "judges": [{"name": name, "adapter": name, "source": name} for name in ("ast", "cnn")],
        "metrics": metric_cards(plan),
        "main_metric": "fid_cf@top30",
        "budget": {"seconds": 60.0, "forwards": 1000},
    }


def metric_id(entry: dict[str, object]) -> str:
    values = [str(value) for value in entry.get("parameters", {}).values()]  # type: ignore[attr-defined]
    return str(entry["metric"]) + (f"@{'+'.join(values)}" if values else "")


def item_ids(plan: Plan) -> list[str]:
    return [f"test-{number:04d}" for number in range(plan.items)]


def planted(plan: Plan, metric: str, skill: float, rng: np.random.Generator) -> np.ndarray:
    """Values [items]: at skill 0 the floor, at skill 1 the ceiling, with a difficulty that all entrants share."""
    name = metric.split("@")[0]
    if metric in plan.dull:
        skill = 0.0
    low, high = RANGES.get(name, (0.3, 0.95))
    if metric.endswith("+cnn"):
        skill = 0.9 * skill
    width = abs(high - low)
    difficulty = np.random.default_rng(sum(map(ord, metric))).normal(0, 0.1 * width, plan.items)
    values = low + skill * (high - low) + difficulty + rng.normal(0, 0.15 * width, plan.items)
    return np.clip(values, *metrics.get(name).range)


def write_run(out: Path, plan: Plan, submission: str) -> Path:
    """One run's folder."""
    name = f"{plan.task}__{submission}__{crc32(f'{plan.task_hash}{plan.seed}'.encode()):08x}"
    folder = out / name
    rng = np.random.default_rng(sum(map(ord, submission)) + plan.seed)
    base = Row(
        submission=submission, submission_hash=f"{sum(map(ord, submission)):016x}", task=plan.task, task_version=1,
        task_hash=parted(plan.task_hash)._replace(seed=plan.seed).text, metric="", item="", cluster="",
        generation_seed=plan.seed, explainer_seed=plan.seed,
        value=None, status=Status.OK, reason="", seconds=0.1, forwards=20, backwards=2, peak_bytes=1000,
        isolation="process", run=name,
    )  # fmt: skip
    rows = []
    for seed, entry in product(plan.explainer_seeds, metric_cards(plan)):
        metric = metric_id(entry)
        values = planted(plan, metric, plan.skill[submission], rng)
        for number, item in enumerate(item_ids(plan)):
            row = replace(base, metric=metric, item=item, cluster=f"c{number}", value=float(values[number]))
            row = replace(row, explainer_seed=plan.seed + seed)
            if number in plan.failing.get(submission, ()):
                row = replace(row, value=None, status=Status.FAILED, reason="the explainer raised ValueError: planted")
            rows.append(row)
    write_part(rows, folder / "rows" / "0000.parquet")
    recipe: dict[str, object] = {"arguments": {"seed": plan.seed}}
    recipe["task"] = {"id": plan.task, "hash": plan.task_hash.split("-")[0], "card": card(plan)}
    kind = "control" if submission in {"random", "uniform"} else "baseline"
    recipe["submission"] = {
        "id": submission,
        "hash": base.submission_hash,
        "card": {
            "id": submission, "track": "prompt", "title": submission.title(), "authors": ["A. Author"],
            "licence": "Apache-2.0", "kind": kind, "access": ACCESS.get(submission, ""), "explainer": "Explainer",
        },
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(recipe))
    write_maps(folder, plan, submission)
    if plan.sounds:
        for item in item_ids(plan):
            for label, pitch in (("kept", 330), ("removed", 220)):
                write_tone(folder / "exhibits" / f"{item}.{label}.ogg", pitch)
            sounds = [("sound", label, "", f"{item}.{label}.ogg") for label in ("kept", "removed")]
            listed(folder / "exhibits", item, *sounds)
    return folder


def made_elsewhere(folder: Path) -> None:
    """Turn a run's rows into those of explanations that were handed in."""
    path = folder / "rows" / "0000.parquet"
    unseen = {"isolation": MADE_ELSEWHERE, "metering": UNVERIFIED, "seconds": 0.0, "forwards": 0, "backwards": 0}
    write_part([Row(**{**row, **unseen, "peak_bytes": 0}) for row in pq.read_table(path).to_pylist()], path)


def look_at(folder: Path, plan: Plan, submission: str, agreement: float) -> Sanity:
    """Beside a run, a look at an entrant whose explanations agree so much with those of a spoiled model."""
    flagged = agreement > 0.95
    words = "the parameters of 4 of 4 layers are drawn anew"
    found = Sanity(
        run=folder.name, task=plan.task, task_hash=plan.task_hash, submission=submission,
        submission_hash=f"{sum(map(ord, submission)):016x}", items=8, layers=4, itself=1.0,
        checks=[
            SanityCheck(check=words, share=1.0, agreement=agreement, itself=1.0, p=0.9 if flagged else 0.004, items=8,
                        decides=True, flagged=flagged),
            SanityCheck(check="the words of the prompt change places", decides=True, skipped="the prompt has one word"),
        ],
        complexity=Complexity(entropy=0.5, gini=0.6, redrawn=0.7, p=0.004, items=8),
        flags=[f"They do not change when {words}: no drop was found"] if flagged else [],
    )  # fmt: skip
    write_sanity(folder, found)
    return found


def write_maps(folder: Path, plan: Plan, submission: str) -> None:
    rng = np.random.default_rng(len(submission))
    tokens = len(WORDS) + 1
    truth = np.zeros((FRAMES, tokens))
    truth[:25, 2], truth[25:, 6], truth[:25, 1], truth[25:, 5] = 1, 1, 0.6, 0.5
    skill = plan.skill[submission]
    weights = np.clip(skill * truth + (1 - skill) * rng.uniform(size=truth.shape), 0, 1).astype(np.float32)
    failing = plan.failing.get(submission, ())
    arrays = {f"{item}/weights": weights for n, item in enumerate(item_ids(plan)) if n not in failing}
    path = folder / "explanations" / "0000.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path)


def write_originals(out: Path, plan: Plan) -> None:
    """Public items as scoring keeps them."""
    base, _, fresh = plan.task_hash.partition("-fresh")
    folder = out / ".originals" / (f"{base}-seed{plan.seed}" + (f"-fresh{fresh}" if fresh else ""))
    folder.mkdir(parents=True, exist_ok=True)
    fields = [
        {"id": item, "prompt": " ".join(WORDS), "seed": 0, "explainer_seed": 0, "tokens": [*WORDS, "</s>"]}
        for item in item_ids(plan)
    ]
    arrays: dict[str, np.ndarray] = {}
    for item in item_ids(plan):
        arrays[f"{item}/codes"] = np.zeros((4, FRAMES), np.int64)
        arrays[f"{item}/special"] = np.array([False] * len(WORDS) + [True])
        if plan.sounds:
            write_tone(folder / f"{item}.original.ogg", 440)
            listed(folder, item, ("sound", "original", "", f"{item}.original.ogg"))
    metadata = {"fields": json.dumps({"items": fields, "problems": [["test-none", "the prompt has no words"]]})}
    save_file(arrays, folder / "items-0000.safetensors", metadata=metadata)


def write_tone(path: Path, pitch: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tone(pitch))


@cache
def tone(pitch: float) -> bytes:
    wave = 0.3 * np.sin(2 * np.pi * pitch * np.arange(2 * RATE) / RATE)
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format="OGG", subtype="VORBIS")
    return file.getvalue()


def write_task(registry: Path, plan: Plan) -> Path:
    """A task folder with ceilings, to register; its hash is what rows must carry."""
    folder = registry / plan.task
    (folder / "truth").mkdir(parents=True)
    (folder / "task.toml").write_text(_toml(card(plan)))
    (folder / "README.md").write_text("# Planted effects\n\nA page for people.\n")
    (folder / "truth" / "certificate.json").write_text(json.dumps(CERTIFICATE))
    rng = np.random.default_rng(7)
    rows = [
        {"kind": kind, "metric": metric, "item": item, "generation_seed": 0, "value": float(value)}
        for kind, skill in (("ceiling", 1.0), ("anti", -0.2))
        for metric in [metric_id(entry) for entry in metric_cards(plan) if entry["metric"] != "size"]
        for item, value in zip(item_ids(plan), planted(plan, metric, skill, rng), strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "truth" / "ceiling.parquet")
    if plan.audited:
        write_audit(folder / "truth", audit(plan, read_task(folder).data_hash))
    return folder


def audit(plan: Plan, data_hash: str) -> Audit:
    """What the audit of a planted task says: that dull metrics are uninformative, and all others informative."""
    ids = [metric_id(entry) for entry in metric_cards(plan)]
    found = {id: MetricAudit(informative=id not in plan.dull) for id in ids if id not in plan.unaudited}
    weights = (
        None if plan.weights is None else ScoreWeights(headline=plan.weights, entrants=["random"], items=plan.items)
    )
    return Audit(task=plan.task, data_hash=data_hash, items=plan.items, metrics=found, weights=weights)


def _toml(card: dict[str, object]) -> str:
    def value(x: object) -> str:
        if isinstance(x, dict):
            return "{ " + ", ".join(f"{k} = {value(v)}" for k, v in x.items()) + " }"
        if isinstance(x, list):
            return "[" + ", ".join(map(value, x)) + "]"
        return json.dumps(x)

    return "\n".join(f"{key} = {value(entry)}" for key, entry in card.items()) + "\n"
