"""The steps of submission.yml, run in a checkout of a base as GitHub would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from small_git import QUIET, git
from workflow_steps import Runner, executable

ROOT = Path(__file__).parents[2]
FLOWS = ROOT / ".github" / "workflows"
HERE = ("Boxes", "Install the base's library")
"""Steps that prepare GitHub's machine; this one is."""


def flow(name: str) -> dict[str, Any]:
    """A workflow."""
    found: dict[str, Any] = yaml.safe_load((FLOWS / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def opened(origin: Path, number: int, branch: str) -> str:
    """Open a pull request of a branch at its origin, as GitHub keeps it; its last commit."""
    head = git(origin, "rev-parse", branch)
    git(origin, "update-ref", f"refs/pull/{number}/head", head)
    git(origin, "branch", "--quiet", "-D", branch)
    return head


def checkout(folder: Path, origin: Path) -> Path:
    """What actions/checkout makes of the base: its last commit, the whole history, no pull request."""
    git(folder, "clone", "--quiet", f"file://{origin}", str(folder / "checkout"))
    git(folder / "checkout", "checkout", "--quiet", "--detach", "origin/main")
    return folder / "checkout"


def runner(folder: Path, number: int, head: str) -> Runner:
    """A runner in a folder that has a checkout."""
    place = folder / "checkout"
    job = flow("submission")["jobs"]["score"]
    values = {
        "github.event.pull_request.number": str(number),
        "github.event.pull_request.base.sha": git(place, "rev-parse", "HEAD"),
        "github.event.pull_request.head.sha": head,
    }
    (folder / "temp").mkdir(exist_ok=True)
    found = Runner(folder, values, environment={**QUIET, "EARWITNESS_STATE": os.environ["EARWITNESS_STATE"]})
    found.environment |= {name: found.render(text) for name, text in job["env"].items()}
    return found


def steps() -> list[dict[str, Any]]:
    """The job's steps; each runs in the checkout."""
    return [{**step, "working-directory": "checkout"} for step in flow("submission")["jobs"]["score"]["steps"]]


def python_of(checkout: Path, library: Path, before: str = "") -> None:
    """`.venv/bin/python` of a checkout: this interpreter with a library, installed as far as make can tell."""
    text = f'#!/bin/bash\nexport PYTHONPATH="{library}"\n{before}\nexec "{sys.executable}" "$@"\n'
    executable(checkout / ".venv" / "bin" / "python", text)
    for name in (".installed", ".installed-all"):
        (checkout / ".venv" / name).touch()


def copied(source: Path, folder: Path) -> None:
    """The files of a working tree that git knows, or would."""
    words = ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(words, capture_output=True, check=True).stdout.split(b"\0")[:-1]
    for name in map(os.fsdecode, names):
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((source / name).read_bytes())
            (folder / name).chmod((source / name).stat().st_mode)
