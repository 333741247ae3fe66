"""The third-party package of docs/checking.md: what the page shows, and its pull request that fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from earwitness import gate, registry

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tests" / "third_party" / "wordless"
PAGE = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
SHOWN = {
    "src/wordless/__init__.py": "py",
    "tests/test_faithful.py": "py",
    "pyproject.toml": "toml",
    ".github/workflows/faithful.yml": "yaml",
}
WHOLE = ("src/wordless/__init__.py", "pyproject.toml")
"""Shown from the first line to the last, so that the page runs as it is written."""


@pytest.mark.parametrize(("file", "language"), SHOWN.items(), ids=SHOWN)
def test_what_the_page_shows_stands_in_the_package(file: str, language: str) -> None:
    match = re.search(rf"`{re.escape(file)}`[^`]*```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert match, f"docs/checking.md shows no {file}"
    shown, written = match.group(1).strip(), (PACKAGE / file).read_text(encoding="utf-8").strip()
    assert shown == written if file in WHOLE else shown in written


def test_the_fault_that_the_page_plants_is_a_line_of_the_package() -> None:
    removed, added = fault()
    assert (PACKAGE / "src" / "wordless" / "__init__.py").read_text(encoding="utf-8").count(removed) == 1
    assert removed != added


def test_the_rules_of_the_package_are_about_its_task() -> None:
    settings = gate.read_settings(PACKAGE)
    known = [metric.id for metric in registry.task("micro_prompt").card.metrics]
    for rule in settings.fail_if:
        assert any(rule.matches("micro_prompt", metric) for metric in known), rule.text
    assert settings.against == PACKAGE / "tests" / "baseline.parquet"


def test_the_workflow_gives_the_action_inputs_that_it_has() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    known = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    steps = [
        step
        for text in [*blocks, (PACKAGE / ".github" / "workflows" / "faithful.yml").read_text(encoding="utf-8")]
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job["steps"]
        if "earwitness@" in step.get("uses", "")
    ]
    assert steps
    for step in steps:
        assert set(step["with"]) <= set(known)
        assert {name for name in known if known[name].get("required")} <= set(step["with"])


def test_every_key_of_the_table_is_told() -> None:
    for key in tomllib.loads((PACKAGE / "pyproject.toml").read_text())["tool"]["earwitness"]["check"]:
        assert f"`{key}`" in PAGE


def fault() -> tuple[str, str]:
    """The line that the page removes, and the one that it adds."""
    match = re.search(r"```diff\n-(.*?)\n\+(.*?)\n```", PAGE)
    assert match, "docs/checking.md plants no fault"
    return match.group(1).strip(), match.group(2).strip()


def run_tests(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-disable", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=1500)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_its_tests_pass_until_the_explainer_is_broken(tmp_path: Path) -> None:
    package = tmp_path / "wordless"
    shutil.copytree(PACKAGE, package)
    written = run_tests(package, "--earwitness-update-baseline", "-k", "faithful")
    assert written.returncode == 0, written.stdout
    assert "leave_one_out on micro_prompt: added" in written.stdout
    intact = run_tests(package)
    assert intact.returncode == 0, intact.stdout
    path = package / "src" / "wordless" / "__init__.py"
    path.write_text(path.read_text(encoding="utf-8").replace(*fault()), encoding="utf-8")
    broken = run_tests(package, "-k", "stays_faithful")
    print(broken.stdout)
    assert broken.returncode == 1, broken.stdout
    assert "regression" in broken.stdout
