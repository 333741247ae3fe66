"""What the project declares of itself: dependencies, Pythons, hooks and CI."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from earwitness.errors import EarwitnessError
from earwitness.extras import not_installed
from earwitness.harness.needs import ALONE

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    name: lines
    for name, lines in PROJECT["optional-dependencies"].items()
    if name not in {"test", "dev", "docs", "all"}
}
WITHOUT_THEIRS = [
    line for line in (ROOT / "requirements-nodeps.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"
]
OWN = {"earwitness", *(path.stem for path in (ROOT / "leaderboard").iterdir())}
ONE_USE = {
    "librosa": "notes", "espeakng_loader": "worlds", "skimage": "spes", "datasets": "musiccaps",
    "streamlit": "page", "altair": "page",
}  # fmt: skip


def name_of(requirement: str) -> str:
    """Normalised name of a distribution in a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~\[;]", requirement)[0]).lower()


def imports(path: Path) -> Iterator[str]:
    """Top-level packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {
        name_of(line)
        for lines in (PROJECT["dependencies"], *EXTRAS.values(), PROJECT["optional-dependencies"]["test"])
        for line in [*lines, *WITHOUT_THEIRS]
    }
    known = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in ("benchmark/earwitness", "leaderboard", "submissions")
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if name not in OWN | sys.stdlib_module_names
        and not {name_of(each) for each in known.get(name, [name])} & declared
    }
    assert not undeclared, undeclared


CLUSTERS = {"ray", "slurm"}
"""Extras for more than one machine, which nobody wants who has one."""


def test_the_extra_all_is_every_extra_but_those_of_clusters_and_dev_has_it() -> None:
    (every,) = PROJECT["optional-dependencies"]["all"]
    assert every == f"earwitness[{','.join(name for name in EXTRAS if name not in CLUSTERS)}]"
    assert "earwitness[all]" in PROJECT["optional-dependencies"]["dev"]


def test_no_package_is_both_required_and_extra() -> None:
    required = {name_of(line) for line in PROJECT["dependencies"]}
    assert not required & {name_of(line) for lines in EXTRAS.values() for line in lines}


def test_the_library_imports_no_package_of_an_extra_when_it_is_imported() -> None:
    at_once = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "benchmark" / "earwitness").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name]
        if name and name.partition(".")[0] in ONE_USE
    }
    assert not at_once, at_once


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the packages of the extras can be imported."""
    loaded = {name for name in sys.modules if name.partition(".")[0] in ONE_USE}
    # No function is replaced: a module first imported here would keep the replacement when the test is over.
    for name in loaded | set(ONE_USE):
        monkeypatch.setitem(sys.modules, name, None)


def pitch() -> None:
    import numpy as np

    from earwitness.worlds import estimators

    estimators.pitch(np.zeros(100, dtype=np.float32), 16_000)


def speech() -> None:
    from earwitness.worlds import espeak

    with espeak._library():
        pass


def captions() -> None:
    from earwitness.datasets import musiccaps

    musiccaps.load("google/MusicCaps", items=1)


def page() -> None:
    from earwitness.cli import board

    board._serve(Path("board"), 1)


def superpixels() -> None:
    from earwitness.explaining import spes

    # A copy: what was loaded while packages were missing must not outlive the test.
    runpy.run_path(spes.__file__)


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(
    ("use", "extra"),
    [(pitch, "notes"), (speech, "worlds"), (captions, "musiccaps"), (page, "page"), (superpixels, "spes")],
)
def test_what_needs_an_extra_says_in_one_line_which(use: Any, extra: str) -> None:
    with pytest.raises(EarwitnessError, match=rf"pip install 'earwitness\[{extra}\]'") as error:
        use()
    assert "\n" not in str(error.value)
    assert extra in EXTRAS


def test_the_line_names_the_package_and_the_extra() -> None:
    assert str(not_installed("a", "b")) == "a is not installed: pip install 'earwitness[b]'"


def test_ci_runs_the_readmes_commands_on_every_python_that_is_declared() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]["readme"]
    declared = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert job["strategy"]["matrix"]["python"] == declared
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (make \w+)$", readme, re.MULTILINE)
    ran = [" ".join(step["run"].split()[:2]) for step in job["steps"] if step.get("run", "").startswith("make ")]
    assert commands
    assert ran == commands


def test_ci_builds_the_site_with_warnings_as_errors() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]["docs"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make docs"]
    assert "mkdocs build --strict" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_hooks_are_local_and_run_what_make_test_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        command = hook["entry"].replace(".venv/bin", "$(BIN)").split(" --")[0]
        assert f"\t{command}" in makefile, hook["id"]


def test_packages_without_their_dependencies_are_known_to_what_looks_for_packages() -> None:
    asked = [line.partition(";")[0].strip() for line in WITHOUT_THEIRS]
    assert sorted(asked) == sorted(f"{name}=={version}" for name, version in ALONE.items())
