"""The GitHub Action: its steps are run by bash as GitHub runs them, in an environment that is faked."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from earwitness import gate
from earwitness.results import rows
from earwitness.results.rows import Row
from gate_rows import recipe
from small_git import begun, commit, git
from workflow_steps import Runner, executable

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
ITEMS = 60
ROW = Row(
    submission="mine", submission_hash="s", task="a_task", task_version=1, task_hash="t", metric="fid_cf@top30",
    item="", cluster="", generation_seed=0, explainer_seed=0, value=0.0, status="ok", reason="", seconds=0.1,
    forwards=1, backwards=0, peak_bytes=0, isolation="process", run="r",
)  # fmt: skip
SHIM = """#!/bin/bash
printf '%s\\n' "$*" >> "{log}"
if [[ "$1" == run ]]; then
    mkdir -p "$RUNNER_TEMP/earwitness/runs"
    cp -r "{run}" "$RUNNER_TEMP/earwitness/runs/"
    exit {code}
fi
exec "{python}" -m earwitness.cli "$@"
"""


def values(loss: float) -> list[Row]:
    """Rows of a run whose explanations are worse by a loss."""
    drawn = np.random.default_rng(0)
    faithful = 0.7 + 0.1 * drawn.standard_normal(ITEMS)
    noise = 0.02 * drawn.standard_normal(ITEMS)
    return [
        replace(ROW, item=f"item-{i}", cluster=f"item-{i}", value=float(faithful[i] + (noise[i] - loss if loss else 0)))
        for i in range(ITEMS)
    ]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A user's checkout with a baseline, and `earwitness` on the path."""
    for name in ("bin", "temp", "package"):
        (tmp_path / name).mkdir()
    gate.update_baseline(tmp_path / "package" / "baseline.parquet", rows.table(values(0.0)))
    return tmp_path


def made(checkout: Path, loss: float, code: int = 0) -> None:
    """What `earwitness run` will leave, and the code that it exits with."""
    run = checkout / "made" / "a_task__mine__0"
    rows.write_part(values(loss), run / "rows" / "00000.parquet")
    (run / "run.json").write_text(json.dumps(recipe(rows.table(values(loss)))), encoding="utf-8")
    text = SHIM.format(log=checkout / "calls", run=run, code=code, python=sys.executable)
    executable(checkout / "bin" / "earwitness", text)


def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return found


STEPS: list[dict[str, Any]] = document()["runs"]["steps"]


def runner(checkout: Path, event: str = "push", **inputs: str) -> Runner:
    """The action's runner with inputs, the others by default."""
    given = {"task": "a_task", "submission": "src/mine", "install": "false", "working-directory": "package"}
    given |= {name.replace("_", "-"): text for name, text in inputs.items()}
    declared = {name: str(each.get("default", "")) for name, each in document()["inputs"].items()}
    values = {f"inputs.{name}": text for name, text in {**declared, **given}.items()}
    values |= {"github.event_name": event, "github.token": "t0ken", "github.repository": "owner/mine"}
    values |= {"github.event.pull_request.number": "7"}
    own = {"PYTHONPATH": str(ROOT / "benchmark"), "EARWITNESS_STATE": os.environ["EARWITNESS_STATE"]}
    return Runner(checkout, values, ACTION.parent, own)


RULES = "fid_cf worse by >0.02 at p<0.05\n\n  a_task: fid_cf@top30 worse by >5% at p<0.01\n"


def test_a_regression_fails_the_job_and_stands_in_the_summary(checkout: Path) -> None:
    made(checkout, 0.1)
    github = runner(checkout, fail_if=RULES, against="baseline.parquet")
    assert github.run(STEPS) == 1, github.log
    assert github.outputs["check"] == {"exit-code": "1"}
    summary = (checkout / "summary.md").read_text(encoding="utf-8")
    assert "regression" in summary
    assert "@top30 is worse" in summary
    assert (checkout / "temp" / "earwitness" / "report.xml").is_file()
    calls = (checkout / "calls").read_text(encoding="utf-8").splitlines()
    runs = checkout / "temp" / "earwitness" / "runs"
    assert calls[0] == f"run --task a_task --submission src/mine --out {runs}"
    assert calls[1].startswith(f"check {runs} --markdown ")
    assert calls[1].count("--fail-if") == 2


@pytest.mark.parametrize("code", [0, 4])
def test_equal_rows_pass_by_the_rules_of_pyproject_even_where_items_failed(checkout: Path, code: int) -> None:
    made(checkout, 0.0, code)
    (checkout / "package" / "pyproject.toml").write_text(
        f"[tool.earwitness.check]\nfail_if = {RULES.split(chr(10))[:1]}\n", encoding="utf-8"
    )
    github = runner(checkout, items="60")
    assert github.run(STEPS) == 0, github.log
    assert github.outputs["check"] == {"exit-code": "0"}
    assert (checkout / "calls").read_text(encoding="utf-8").splitlines()[0].endswith("--items 60")


def test_a_run_that_cannot_start_is_not_checked(checkout: Path) -> None:
    made(checkout, 0.0, 2)
    github = runner(checkout)
    assert github.run(STEPS) == 2
    assert len((checkout / "calls").read_text(encoding="utf-8").splitlines()) == 1


def test_an_unreadable_rule_is_said_in_the_summary(checkout: Path) -> None:
    made(checkout, 0.0)
    github = runner(checkout, fail_if="fid_cf wrose by >2% at p<0.05", against="baseline.parquet")
    assert github.run(STEPS) == 2
    assert github.outputs["check"] == {"exit-code": "2"}
    assert "wrose" in github.log


GH = """#!/bin/bash
printf '%s\\n' "$GH_TOKEN $*" >> "{log}"
if [[ "$*" == *--paginate* ]]; then printf '%s' "{found}"; fi
exit {code}
"""


@pytest.mark.parametrize(("found", "code", "verb"), [("", 0, "POST"), ("41\n42", 0, "PATCH"), ("", 1, "")])
def test_a_verdict_becomes_a_comment_once_and_no_job_fails_without_leave(
    checkout: Path, found: str, code: int, verb: str
) -> None:
    executable(checkout / "bin" / "python", f'#!/bin/bash\nexec "{sys.executable}" "$@"\n')
    executable(checkout / "bin" / "gh", GH.format(log=checkout / "gh", found=found, code=code))
    body = checkout / "temp" / "earwitness" / "comment.md"
    body.parent.mkdir()
    (body.parent / "report.md").write_text("### earwitness check: regression: 2 regression\n\n@all\n", encoding="utf-8")
    (commented,) = [step for step in STEPS if step["name"] == "Comment"]
    github = runner(checkout, "pull_request")
    assert github.run([{"name": "Check", "run": "exit 3"}, commented]) == 3
    assert github.ran == ["Check", "Comment"]
    lines = (checkout / "gh").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("t0ken api --paginate repos/owner/mine/issues/7/comments")
    assert ("No comment was written" in github.log) is not bool(verb)
    place = "comments/42" if found else "7/comments"
    posted = [f"t0ken api --method {verb} repos/owner/mine/issues/{place} -F body=@{body}"]
    assert lines[1:] == (posted if verb else [])
    assert body.read_text(encoding="utf-8").splitlines() == [
        "<!-- earwitness check: earwitness-runs -->",
        "### earwitness check: regression: 2 regression",
        "",
        "@\u200ball",
    ]
    assert not runner(checkout, "push").wanted(commented["if"], failed=False)
    assert not runner(checkout, "pull_request", comment="false").wanted(commented["if"], failed=False)


def test_with_a_base_the_action_fetches_it_and_checks_by_it_alone(checkout: Path) -> None:
    origin = begun(checkout / "origin", {"README.md": "x"})
    base = git(origin, "rev-parse", "main")
    git(origin, "switch", "--quiet", "main")
    commit(origin, {"README.md": "y"})
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    (checkout / "package").rename(checkout / "before")
    git(checkout, "clone", "--quiet", "--depth=1", "--branch=main", f"file://{origin}", str(checkout / "package"))
    made(checkout, 0.0)
    github = runner(checkout, base=base, items="5")
    assert github.run(STEPS) == 2
    assert github.ran == ["Fetch the base", "Check"]
    assert git(checkout / "package", "rev-parse", "--verify", f"{base}^{{commit}}") == base
    (call,) = (checkout / "calls").read_text(encoding="utf-8").splitlines()
    words = (
        f"--base {base} --task a_task --submission src/mine --out {checkout / 'temp' / 'earwitness' / 'runs'} --items 5"
    )
    assert call.endswith(words)
    # The real verb took them; this checkout has no such task.
    assert "no task is called 'a_task'" in github.log
    assert "no task is called" in (checkout / "summary.md").read_text(encoding="utf-8")


def test_the_run_is_kept_whatever_the_verdict() -> None:
    (kept,) = [step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert kept["if"] == "always()"
    assert kept["with"]["path"] == "${{ runner.temp }}/earwitness"


def test_what_the_action_installs_is_itself(checkout: Path) -> None:
    (install,) = [step for step in STEPS if "pip install" in step.get("run", "")]
    executable(checkout / "bin" / "python", f'#!/bin/bash\nprintf "%s\\n" "$*" >> "{checkout / "calls"}"\n')
    assert runner(checkout).step(install) == 0
    assert (checkout / "calls").read_text(encoding="utf-8").splitlines() == [
        f"-m pip install {ACTION.parent}[all]",
        f"-m pip install --no-deps -r {ACTION.parent}/requirements-nodeps.txt",
    ]
