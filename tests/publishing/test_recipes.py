"""What docs/publishing.md gives to copy, run as it stands there but for the line that installs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from small_git import git
from synthetic import Plan, write_run
from workflow_steps import Runner, executable

PAGE = Path(__file__).parents[2] / "docs" / "publishing.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PLAN = Plan(skill={"occlusion": 0.8, "attention": 0.3, "random": 0.0}, items=7)


def block(kind: str, holding: str) -> str:
    """The one block of a kind that holds a text."""
    (found,) = [text for each, text in BLOCKS if each == kind and holding in text]
    return str(found)


WORKFLOW: dict[str, Any] = yaml.safe_load(block("yaml", "jobs:"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["board"]["steps"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone of a repository of runs and notices, with the remote that it is pushed to beside it."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    for submission in PLAN.skill:
        write_run(clone / "runs", PLAN, submission)
    (clone / "notices.toml").touch()
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Runs")
    git(clone, "push", "--quiet", "--set-upstream", "origin", "HEAD:main")
    executable(tmp_path / "home" / "bin" / "pip", "#!/bin/sh\n")
    executable(tmp_path / "home" / "bin" / "earwitness", f'#!/bin/sh\nexec {sys.executable} -m earwitness.cli "$@"\n')
    return clone


def run_workflow(clone: Path) -> tuple[int, Runner]:
    """Exit code of the workflow's shell steps in a clone, and who ran them."""
    home = clone.parent / "home"
    runner = Runner(
        home,
        {},
        environment={"PYTHONPATH": ":".join(sys.path), "GIT_CONFIG_SYSTEM": os.devnull, "OMP_NUM_THREADS": "1"},
    )
    return runner.run([{**step, "working-directory": str(clone)} for step in STEPS if "run" in step]), runner


def test_the_workflow_builds_the_board_keeps_its_history_and_commits_nothing_twice(repository: Path) -> None:
    remote = repository.parent / "remote.git"
    before = git(remote, "rev-parse", "main")
    code, runner = run_workflow(repository)
    assert code == 0, runner.log
    first = git(remote, "rev-parse", "main")
    assert git(remote, "rev-list", "--count", f"{before}..main") == "1"
    changed = git(remote, "diff", "--name-only", before, "main").splitlines()
    assert changed
    assert all(name.startswith("board/") for name in changed)
    assert (repository / "page" / "index.html").is_file()
    assert "occlusion" in (runner.folder / "summary.md").read_text(encoding="utf-8")

    code, runner = run_workflow(repository)
    assert (code, git(remote, "rev-parse", "main")) == (0, first), runner.log

    for folder in (repository / "runs").glob("*__attention__*"):
        shutil.rmtree(folder)
    code, runner = run_workflow(repository)
    assert code == 0, runner.log
    assert git(remote, "rev-list", "--count", f"{first}..main") == "1"
    assert "attention" in (runner.folder / "summary.md").read_text(encoding="utf-8")


def test_a_run_that_is_not_let_in_does_not_stop_the_workflow(repository: Path) -> None:
    (folder,) = (repository / "runs").glob("*__attention__*")
    (folder / "run.json").unlink()
    code, runner = run_workflow(repository)
    assert code == 0, runner.log
    assert "left out of the board" in runner.log


def test_notices_that_cannot_be_read_stop_the_workflow_before_anything_is_kept(repository: Path) -> None:
    before = git(repository.parent / "remote.git", "rev-parse", "main")
    (repository / "notices.toml").write_text("[[", encoding="utf-8")
    code, runner = run_workflow(repository)
    assert (code, runner.ran) == (1, ["", STEPS[3]["name"]]), runner.log
    assert git(repository.parent / "remote.git", "rev-parse", "main") == before


def test_pages_get_the_folder_that_the_workflow_exports() -> None:
    used = {step["uses"].partition("@")[0]: step.get("with", {}) for step in STEPS if "uses" in step}
    (export,) = re.findall(r"--export (\w+)", next(step["run"] for step in STEPS if "--export" in step.get("run", "")))
    assert used["actions/upload-pages-artifact"] == {"path": export}
    assert WORKFLOW["permissions"].items() >= {"contents": "write", "pages": "write", "id-token": "write"}.items()


@pytest.fixture
def served(repository: Path, tmp_path: Path) -> Iterator[str]:
    """Address of a page that is served as the image of the Docker Space does it, from a board's folder alone."""
    assert run_workflow(repository)[0] == 0
    lines = block("dockerfile", "FROM").splitlines()
    variables = dict(pair.split("=", 1) for line in lines if line.startswith("ENV ") for pair in line.split()[1:])
    (source, there) = next(line for line in lines if line.startswith("COPY ")).split()[-2:]
    command = yaml.safe_load(next(line for line in lines if line.startswith("CMD ")).removeprefix("CMD "))
    home = tmp_path / "space"
    shutil.copytree(repository / source, home / Path(there).name)
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    assert command[-2:] == ["--port", "7860"]
    words = [str(home / Path(there).name) if word == there else word for word in command[1:-1]]
    process = subprocess.Popen(
        [sys.executable, "-m", "earwitness.cli", *words, str(port)], cwd=home, stdout=subprocess.DEVNULL,
        env={**os.environ, **variables, "PYTHONPATH": ":".join(sys.path)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_the_image_of_the_space_serves_a_board_that_lies_alone(served: str) -> None:
    for _ in range(300):
        try:
            with urlopen(f"{served}/_stcore/health", timeout=5) as answer:
                assert answer.read() == b"ok"
            break
        except URLError:
            time.sleep(0.1)
    else:
        pytest.fail("the page is not served")
    assert b"<title>" in urlopen(served, timeout=5).read()


def test_the_card_of_the_static_space_is_one_that_the_hub_takes() -> None:
    from huggingface_hub import SpaceCard

    said = SpaceCard(f"---\n{block('yaml', 'sdk: static')}---\n").data.to_dict()
    assert (said["sdk"], said["title"]) == ("static", "Earwitness")
