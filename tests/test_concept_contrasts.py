"""Who beats the controls of the concept track: rows of two worlds that take turns, up to what the page reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from earwitness import board, registry
from earwitness.results.rows import Row, Status, write_part
from earwitness.stats.intervals import Resampling

VALUES = {"sae_topk": (0.8, 0.02), "random_relu": (0.3, 0.05), "random_topk": (0.2, 0.5)}
"""`sparse_probe_r2`, which items of the independent world have, and `fvu`, which all have."""
METRICS = ("sparse_probe_r2@every+1", "fvu")


def write_run(out: Path, submission: str, items: int) -> None:
    name = f"concept__{submission}__00000000"
    base = Row(
        submission=submission, submission_hash=registry.submission(submission).hash_for("concept"), task="concept",
        task_version=1, task_hash="aaaabbbbccccdddd", metric="", item="", cluster="", generation_seed=0,
        explainer_seed=0, value=None, status=Status.OK, reason="", seconds=1.0, forwards=0, backwards=0, peak_bytes=1,
        isolation="process", run=name,
    )  # fmt: skip
    rows = []
    for number in range(items):
        one = replace(base, item=f"test-{number}", cluster=f"test-{number}")
        for metric, value in zip(METRICS, VALUES[submission], strict=True):
            row = replace(one, metric=metric, value=value + 0.001 * number)
            if metric == METRICS[0] and number % 2:
                row = replace(row, value=None, status=Status.SKIPPED, reason="two factors move together")
            rows.append(row)
    write_part(rows, out / name / "rows" / "0000.parquet")
    (out / name / "run.json").write_text(json.dumps({"arguments": {"seed": 0}}))


def verdicts(folder: Path, items: int) -> dict[tuple[str, str, str], str]:
    for submission in VALUES:
        write_run(folder / "runs", submission, items)
    path = board.build(folder / "runs", folder / "board", Resampling(draws=50))
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("SELECT control, entrant, metric, verdict FROM contrasts").fetchall()
    return {(control, entrant, metric): verdict for control, entrant, metric, verdict in found}


def test_random_dictionaries_are_the_controls_and_a_trained_one_beats_them(tmp_path: Path) -> None:
    found = verdicts(tmp_path, 16)
    assert {control for control, _, _ in found} == {"random_relu", "random_topk"}
    for control in ("random_relu", "random_topk"):
        for metric in METRICS:
            assert found[control, "sae_topk", metric] == "better"
    assert found["random_topk", "random_relu", "fvu"] == "better", "lower is more faithful"
    assert found["random_relu", "random_topk", "sparse_probe_r2@every+1"] == "worse"


def test_a_metric_of_too_few_items_of_its_world_tells_nobody_apart(tmp_path: Path) -> None:
    # Five items of the independent world: of two sides 2 / 2 ** 5 is above the level.
    found = verdicts(tmp_path, 10)
    assert found["random_topk", "sae_topk", "fvu"] == "better"
    assert found["random_topk", "sae_topk", "sparse_probe_r2@every+1"] == "too few items"


@pytest.mark.parametrize("submission", ["random_relu", "random_topk"])
def test_the_controls_declare_themselves(submission: str) -> None:
    assert registry.submission(submission).card.kind == "control"
