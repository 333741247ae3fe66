"""Whole runs in real boxes, of a light model: the same rows at every level, and a bill that no code inside writes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import NamedScoring, make_submission
from killing import prepared

from earwitness import registry
from earwitness.box import LEVELS, levels
from earwitness.harness import explain, score
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute
from earwitness.results import rows
from in_process import InlineEngine
from needing import need

BOXES = Path(__file__).parents[1] / "box"

DODGER = """
import copy
import time

import numpy as np
import torch

from earwitness.box import meter
from earwitness.tracks.prompt import PromptExplainer, TokenMap

meter.cpu_seconds = lambda: 0.0
meter.Meter._count = lambda *_: None


class Mine(PromptExplainer):
    def explain(self, model, item):
        mine = copy.deepcopy(model.module)
        mine._forward_hooks.clear()
        end = time.process_time() + 0.05
        while time.process_time() < end:
            mine(torch.zeros(1, 1))
        return TokenMap(np.full(len(item.tokens), 0.5))
"""


KEEPER = """
import os
from pathlib import Path

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap


class Mine(PromptExplainer):
    def explain_batch(self, model, items):
        kept, temporary = Path(os.environ["EARWITNESS_SCRATCH"], "kept"), Path(os.environ["TMPDIR"], "temporary")
        assert not kept.exists()
        kept.write_text("half of it")
        temporary.write_text("for now")
        return [TokenMap(np.full(len(item.tokens), 0.5)) for item in items]

    def explain(self, model, item):
        raise AssertionError("a batch failed")
"""


@pytest.fixture
def run_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.syspath_prepend(str(BOXES))
    monkeypatch.setenv("PYTHONPATH", str(BOXES))
    monkeypatch.setattr(score, "load", NamedScoring)
    prepared(tmp_path)

    def run(level: str, code: str = "") -> Any:
        need(level)
        submission = make_submission(tmp_path / "mine", code) if code else registry.submission(str(tmp_path / "mine"))
        arguments = Arguments(items=20, device="cpu", isolation=level)
        asked = Run(registry.task(str(tmp_path / "fake_task")), submission, arguments, tmp_path / "runs")
        (outcome,) = execute([asked], InlineEngine())
        assert outcome.done
        assert not outcome.failed
        return rows.read_run(asked.folder)

    return run


def test_rows_are_the_same_at_every_level(run_at: Callable[..., Any]) -> None:
    found = {level: run_at(level) for level in LEVELS}
    assert len({rows.fingerprint(table) for table in found.values()}) == 1
    assert {level: set(table["isolation"].to_pylist()) for level, table in found.items()} == {
        level: {level} for level in LEVELS
    }


@pytest.mark.parametrize("level", ["bwrap", "landlock"])
def test_who_dodges_the_meter_is_billed_all_the_same(run_at: Callable[..., Any], level: str) -> None:
    found = run_at(level, DODGER).to_pylist()
    assert min(row["seconds"] for row in found) > 0.04
    assert {row["forwards"] for row in found} == {0}, "the dodge itself works: passes are counted inside"
    assert {row["metering"] for row in found} == {"self-reported"}
    assert min(row["peak_bytes"] for row in found) >= 0


@pytest.mark.parametrize("level", LEVELS)
def test_every_shard_has_a_scratch_folder_that_is_empty_and_can_be_written_to(
    run_at: Callable[..., Any], level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert len(run_at(level, KEEPER)) == 40
    assert not list((tmp_path / "runs").glob("*/scratch"))


def test_a_submission_that_hangs_is_given_up_after_two_items(
    run_at: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    level = levels.strongest()
    guard = explain.guard_of
    monkeypatch.setattr(explain, "guard_of", lambda run: replace(guard(run), stall=1.0))
    code = DODGER.replace("        mine = copy", "        time.sleep(1000)\n        mine = copy")
    submission = make_submission(tmp_path / "sleeper", code)
    asked = Run(
        registry.task(str(tmp_path / "fake_task")), submission,
        Arguments(items=40, device="cpu", isolation=level), tmp_path / "runs",
    )  # fmt: skip
    (outcome,) = execute([asked], InlineEngine())
    found = rows.read_run(asked.folder).to_pylist()
    assert outcome.failed == 40
    assert {row["status"] for row in found} == {"timed_out"}
    assert sum("not tried" in row["reason"] for row in found if row["metric"] == "size") == 38
