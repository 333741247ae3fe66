"""The GitHub Action: its steps are run by bash as GitHub runs them, in an environment that is faked."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from earwitness import gate
from earwitness.results import rows
from earwitness.results.rows import Row
from gate_rows import recipe

ACTION = Path(__file__).parents[1] / "action.yml"
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


@dataclass
class Runner:
    """A faked runner of GitHub's: renders expressions, runs bash steps."""

    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""

    def run(self) -> int:
        """The exit code of the first step that fails, 0 where none does."""
        for step in yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]:
            if "run" not in step or not self.wanted(step.get("if", "")):
                continue
            code = self.step(step)
            if code:
                return code
        return 0

    def wanted(self, condition: str) -> bool:
        return not condition or condition == f"inputs.install == '{self.given('install')}'"

    def given(self, name: str) -> str:
        declared = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"]
        return self.inputs.get(name, declared[name].get("default", ""))

    def render(self, text: str) -> str:
        """A text with its expressions replaced."""

        def value(match: re.Match[str]) -> str:
            expression = match.group(1)
            if expression.startswith("inputs."):
                return self.given(expression.removeprefix("inputs."))
            assert expression == "runner.temp", expression
            return str(self.folder / "temp")

        return re.sub(r"\$\{\{ (\S+) \}\}", value, text)

    def step(self, step: dict[str, Any]) -> int:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script is code that anyone may inject"
        output = self.folder / "output"
        output.touch()
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_ACTION_PATH": str(ACTION.parent),
            **{name: self.render(text) for name, text in step.get("env", {}).items()},
        }
        script = self.folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        place = self.folder / self.render(step.get("working-directory", "."))
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
        self.log += done.stdout + done.stderr
        pairs = (line.partition("=") for line in output.read_text(encoding="utf-8").splitlines())
        self.outputs[step.get("id", "")] = {name: text for name, _, text in pairs}
        output.unlink()
        return done.returncode


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
    shim = checkout / "bin" / "earwitness"
    text = SHIM.format(log=checkout / "calls", run=run, code=code, python=sys.executable)
    shim.write_text(text, encoding="utf-8")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)


def runner(checkout: Path, **inputs: str) -> Runner:
    given = {"task": "a_task", "submission": "src/mine", "install": "false", "working-directory": "package"}
    return Runner(checkout, {**given, **{name.replace("_", "-"): text for name, text in inputs.items()}})


RULES = "fid_cf worse by >0.02 at p<0.05\n\n  a_task: fid_cf@top30 worse by >5% at p<0.01\n"


def test_a_regression_fails_the_job_and_stands_in_the_summary(checkout: Path) -> None:
    made(checkout, 0.1)
    github = runner(checkout, fail_if=RULES, against="baseline.parquet")
    assert github.run() == 1, github.log
    assert github.outputs["check"] == {"exit-code": "1"}
    summary = (checkout / "summary.md").read_text(encoding="utf-8")
    assert "regression" in summary
    assert "@top30 is worse" in summary
    assert (checkout / "temp" / "earwitness" / "report.xml").is_file()
    calls = (checkout / "calls").read_text(encoding="utf-8").splitlines()
    runs = checkout / "temp" / "earwitness" / "runs"
    assert calls[0] == f"run --task a_task --submission src/mine --out {runs}"
    assert calls[1].startswith(f"check {runs} ")
    assert calls[1].count("--fail-if") == 2


@pytest.mark.parametrize("code", [0, 4])
def test_equal_rows_pass_by_the_rules_of_pyproject_even_where_items_failed(checkout: Path, code: int) -> None:
    made(checkout, 0.0, code)
    (checkout / "package" / "pyproject.toml").write_text(
        f"[tool.earwitness.check]\nfail_if = {RULES.split(chr(10))[:1]}\n", encoding="utf-8"
    )
    github = runner(checkout, items="60")
    assert github.run() == 0, github.log
    assert github.outputs["check"] == {"exit-code": "0"}
    assert (checkout / "calls").read_text(encoding="utf-8").splitlines()[0].endswith("--items 60")


def test_a_run_that_cannot_start_is_not_checked(checkout: Path) -> None:
    made(checkout, 0.0, 2)
    github = runner(checkout)
    assert github.run() == 2
    assert len((checkout / "calls").read_text(encoding="utf-8").splitlines()) == 1


def test_an_unreadable_rule_is_said_in_the_summary(checkout: Path) -> None:
    made(checkout, 0.0)
    github = runner(checkout, fail_if="fid_cf wrose by >2% at p<0.05", against="baseline.parquet")
    assert github.run() == 2
    assert github.outputs["check"] == {"exit-code": "2"}
    assert "wrose" in github.log


def test_the_run_is_kept_whatever_the_verdict() -> None:
    steps = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    (kept,) = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert kept["if"] == "always()"
    assert kept["with"]["path"] == "${{ runner.temp }}/earwitness"


def test_what_the_action_installs_is_itself(checkout: Path) -> None:
    (install,) = [
        step
        for step in yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
        if "pip install" in step.get("run", "")
    ]
    fake = checkout / "bin" / "python"
    fake.write_text(f'#!/bin/bash\nprintf "%s\\n" "$*" >> "{checkout / "calls"}"\n', encoding="utf-8")
    fake.chmod(0o755)
    assert Runner(checkout, {}).step(install) == 0
    assert (checkout / "calls").read_text(encoding="utf-8").splitlines() == [
        f"-m pip install {ACTION.parent}[all]",
        f"-m pip install --no-deps -r {ACTION.parent}/requirements-nodeps.txt",
    ]
