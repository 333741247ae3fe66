"""Rows of micro_prompt through audiocraft: those that the model has as it ships.

What they follow from, codes, logits and maps, is compared in test_audiogen.py, in less time.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import earwitness.registry
from earwitness.results import rows
from in_process import earwitness_here

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

METRICS = {"fid_cf@top30": 0.0, "logit_kl_f@top30": 1e-5, "size": 1e-5}
"""Largest difference: a score of the same sounds has none; numbers of the decoder differ by rounding."""


def task(place: Path, model: Path, adapter: str) -> Path:
    """micro_prompt with a few metrics, and its model read by an adapter."""
    shipped = earwitness.registry.task("micro_prompt").folder
    folder = place / "micro_prompt"
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("model"))
    head, *metrics = (shipped / "task.toml").read_text(encoding="utf-8").split("[[metrics]]")
    given = "parameters = { seconds = 2.0, guidance = 2.5, temperature = 0.7, top_k = 0 }"
    head = head.replace('adapter = "musicgen"\nsource = "model"', f'adapter = "{adapter}"\nsource = "{model}"\n{given}')
    assert given in head
    kept = [each for each in metrics if said(each) in METRICS]
    assert len(kept) == len(METRICS)
    (folder / "task.toml").write_text("[[metrics]]".join([head, *kept]), encoding="utf-8")
    return folder


def said(metric: str) -> str:
    """The id of a metric in a card."""
    words = metric.split('"')
    return "@".join(words[1::2]) if "judge" not in metric and "removal" not in metric else ""


@pytest.fixture
def values(tmp_path, micro_folder, monkeypatch, capsys):
    """Runs two items, and gives values by submission, metric and item, with what they cost."""

    def run(adapter: str, model: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
        place = tmp_path / adapter
        folder = task(place, model, adapter)
        words = ["run", "--task", str(folder), "--submission", "occlusion,audiogenx", "--items", "2"]
        code, _, error = earwitness_here([*words, "--out", str(place / "runs")], monkeypatch, capsys)
        assert code == 0, error
        table = [row for each in (place / "runs").glob("*__*") for row in rows.read_run(each).to_pylist()]
        assert {row["status"] for row in table} == {"ok"}
        return {
            (row["submission"], row["metric"], row["item"]): (row["value"], row["forwards"] + row["backwards"])
            for row in table
        }

    return run


def test_rows_are_the_same_through_either_adapter(values, micro_folder):
    shipped = values("musicgen", earwitness.registry.task("micro_prompt").folder / "model")
    found = values("audiogen", micro_folder)
    assert shipped.keys() == found.keys()
    assert len(found) == 2 * 2 * len(METRICS)
    gaps = {key: abs(value - found[key][0]) for key, (value, _) in shipped.items()}
    print(f"\nlargest difference of a value: {max(gaps.values()):.1e}")
    assert all(gap <= METRICS[key[1]] for key, gap in gaps.items()), gaps
    assert all(cost == found[key][1] for key, (_, cost) in shipped.items())
