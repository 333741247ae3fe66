"""How far items tell entrants apart: on fabricated runs whose values are planted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earwitness import registry
from earwitness.authoring import separation
from earwitness.authoring.separation import Separation, noise_of, study
from earwitness.authoring.studies import Standing
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.results.folders import open_runs
from earwitness.results.rows import write_part
from earwitness.stats.verdicts import Verdict
from earwitness.task import Task, read_task
from gate_rows import records
from synthetic import Plan, card, item_ids, write_task

METRIC, NOISE = "fid_f@top30", "fid_noise"
ITEMS = 40
NEAR = 0.01 * np.random.default_rng(1).normal(size=ITEMS)
ZERO = np.zeros(ITEMS)
VALUES: dict[str, np.ndarray] = {
    "leader": ZERO + NEAR,
    "double": NEAR + np.where(np.arange(ITEMS) % 4, 0.0, 0.02 * (-1.0) ** (np.arange(ITEMS) // 4)),
    "behind": 0.3 + 0.05 * np.random.default_rng(2).normal(size=ITEMS),
    "random": 0.5 + 0.0 * ZERO,
}
"""fid_f, which is better where it is lower: `double` is `leader` but on every fourth item, up or down by .02 there."""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A registered task whose ceiling is 0 on every item but the first ten, where it is the random explainer's 0.5."""
    plan = Plan(items=ITEMS)
    cards = [*card(plan)["metrics"], {"metric": NOISE}, {"metric": NOISE, "parameters": {"judge": "cnn"}}]  # type: ignore[misc]
    cards.append({"metric": "fid_f", "parameters": {"mask": "top30", "removal": "scale", "judge": "cnn"}})
    monkeypatch.setattr("synthetic.metric_cards", lambda plan: cards)
    folder = write_task(tmp_path / "registry", replace(plan, audited=False))
    ceilings = [
        {"kind": "ceiling", "metric": METRIC, "item": item, "generation_seed": 0, "value": 0.5 if n < 10 else 0.0}
        for n, item in enumerate(item_ids(plan))
    ]
    pq.write_table(pa.Table.from_pylist(ceilings), folder / "truth" / "ceiling.parquet")
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: tmp_path / "registry" if kind == "tasks" else home(kind))
    return read_task(folder)


def run_all(
    out: Path, task: Task, values: Mapping[str, np.ndarray | Sequence[float | None]], noise: np.ndarray = ZERO
) -> Path:
    """A run of each submission with these values, and with one noise for all; two seeds of the random explainer."""
    for name, column in values.items():
        seeds = (0, 1) if name == "random" else (0,)
        rows = [
            replace(row, item=row.item.replace("i", "test-"), explainer_seed=seed)
            for seed in seeds
            for row in records(
                {METRIC: [None if v is None else v + 0.2 * seed for v in column], NOISE: noise[: len(column)]},
                submission=name, submission_hash=f"{name:_<16}", task=task.id, task_hash=task.hash, run=name,
            )
        ]  # fmt: skip
        write_part(rows, out / name / "rows" / "0000.parquet")
        kind = "control" if name == "random" else "baseline"
        about = {
            "id": name, "track": "prompt", "title": name, "authors": ["A. Author"], "licence": "Apache-2.0",
            "kind": kind, "explainer": "Explainer",
        }  # fmt: skip
        recipe = {"submission": {"id": name, "hash": f"{name:_<16}", "card": about}}
        (out / name / "run.json").write_text(json.dumps(recipe))
    return out


def only(task: Task, out: Path, **options: object) -> Separation:
    (one,) = study(task, open_runs([out])[0], METRIC, **options)  # type: ignore[arg-type]
    return one


def test_shares_of_same_values_are_those_that_were_planted(task: Task, tmp_path: Path) -> None:
    one = only(task, run_all(tmp_path / "runs", task, VALUES))
    assert one.entrants == ("behind", "double", "leader")
    assert one.most_alike == ("double", "leader", 0.75)
    assert one.identical == pytest.approx(0.75 / 3)
    assert (one.items, one.clusters, one.left_out) == (ITEMS, ITEMS, {"random": "control"})


def test_values_that_differ_by_rounding_are_the_same(task: Task, tmp_path: Path) -> None:
    close = {**VALUES, "double": VALUES["leader"] + 1e-8}
    assert only(task, run_all(tmp_path / "runs", task, close)).most_alike == ("double", "leader", 1.0)


def test_told_pairs_leaders_and_what_would_settle_the_rest_are_the_engines(task: Task, tmp_path: Path) -> None:
    one = only(task, run_all(tmp_path / "runs", task, VALUES))
    assert {(p.first, p.second, p.word) for p in one.of(Standing.TOLD)} == {
        ("behind", "double", Verdict.WORSE), ("behind", "leader", Verdict.WORSE),
    }  # fmt: skip
    assert one.leaders == ("double", "leader")
    # The margin is 5 % of the way from .6, random's mean over its seeds, to the ceiling's .125.
    (alike,) = one.of(Standing.ALIKE)
    assert (alike.first, alike.second) == ("double", "leader")
    assert abs(alike.low) < 0.05 * (0.6 - 0.125)
    noisy = {**VALUES, "double": VALUES["leader"] + 0.2 * np.random.default_rng(3).normal(size=ITEMS)}
    (pair,) = only(task, run_all(tmp_path / "noisy", task, noisy)).of(Standing.UNDECIDED)
    assert pair.needed > ITEMS


def test_the_random_explainer_reaches_the_ceiling_by_seed(task: Task, tmp_path: Path) -> None:
    chance = only(task, run_all(tmp_path / "runs", task, VALUES)).at_ceiling
    assert chance is not None
    # At seed 0 it equals the ceiling of the first ten items; at seed 1 it is worse everywhere.
    assert (chance.shares, chance.items) == ((0.25, 0.0), ITEMS)
    assert chance.mean == 0.125
    (task.folder / "truth" / "ceiling.parquet").unlink()
    assert only(task, tmp_path / "runs").at_ceiling is None


@pytest.mark.parametrize(
    ("noise", "word"),
    [(ZERO, Verdict.EQUIVALENT), (ZERO + 0.2, Verdict.BETTER), (ZERO - 0.2, Verdict.WORSE)],
)
def test_leaders_stand_beside_what_generation_alone_changes(
    task: Task, tmp_path: Path, noise: np.ndarray, word: Verdict
) -> None:
    one = only(task, run_all(tmp_path / "runs", task, VALUES, noise))
    assert {(p.first, p.second, p.word) for p in one.to_noise} == {
        ("double", NOISE, word), ("leader", NOISE, word),
    }  # fmt: skip
    leader = one.to_noise[1]
    # fid_f is better where it is lower.
    assert leader.gain == pytest.approx(float((noise - VALUES["leader"]).mean()))
    assert leader.low <= leader.gain <= leader.high


def test_noise_is_what_the_same_judge_hears(task: Task) -> None:
    assert noise_of(task, METRIC) == NOISE
    assert noise_of(task, "fid_f@top30+scale+cnn") == "fid_noise@cnn"
    assert noise_of(task, "kl_f@top30") == ""
    shipped = registry.get("metrics", "fid_noise")
    assert shipped.direction == "none"


def test_controls_are_those_of_the_cards_or_those_that_are_named(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "runs", task, VALUES)
    assert only(task, out, controls=["behind"]).entrants == ("double", "leader", "random")
    assert only(task, out, controls=[]).entrants == ("behind", "double", "leader", "random")
    with pytest.raises(EarwitnessError, match="--controls nobody: not among the runs, which are of behind, double, "):
        only(task, out, controls=["nobody"])


def test_who_did_not_run_everything_is_left_out_and_named(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "runs", task, {**VALUES, "behind": VALUES["behind"][:30]})
    one = only(task, out)
    assert one.entrants == ("double", "leader")
    assert one.left_out["behind"] == "30 of 40 items run"
    with pytest.raises(
        NotComparableError, match="two entrants are needed, and there are 1; behind: 30 of 40 items run"
    ):
        only(task, out, controls=["double", "random"])


def test_a_failed_item_is_at_the_floor_for_everybody(task: Task, tmp_path: Path) -> None:
    failing = [None if n < 30 else float(v) for n, v in enumerate(VALUES["double"])]
    one = only(task, run_all(tmp_path / "runs", task, {**VALUES, "double": failing}))
    assert one.items == ITEMS
    assert one.leaders == ("leader",)


def test_the_command_prints_markdown_or_json_or_one_line(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run_all(tmp_path / "runs", task, VALUES)
    assert separation.main([task.id, str(out), "--metric", METRIC]) == 0
    text = capsys.readouterr().out
    assert f"| `{METRIC}` | 3 | 40 | 25% | 2 of 3 | 1 | 0 | 12% of 40 (0% to 25% by seed) | 2 | - |" in text
    assert "Most alike: `double` and `leader`, with the same value on 75% of 40 items." in text
    assert "* `leader` as good as `fid_noise` (gain " in text
    assert separation.main([task.id, str(out), "--metric", METRIC, "--json", "--controls", "random"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["counts"] == {"told apart": 2, "as good as": 1, "undecided": 0}
    assert record["at_ceiling"] == {"shares": [0.25, 0.0], "items": 40, "mean": 0.125}
    assert separation.main([task.id, str(tmp_path / "nothing")]) == EarwitnessError.exit_code
    assert capsys.readouterr().err.count("\n") == 1
