"""Small git repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CARD = """id = "{name}"
track = "prompt"
title = "Mine"
authors = ["A"]
licence = "Apache-2.0"
explainer = "Mine"
"""
EXPLAINER = "class Mine:\n    pass\n"
QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(folder: Path, *words: str | bytes, given: bytes | None = None) -> str:
    """What git answers."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env={**os.environ, **QUIET}, input=given, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files; an empty text deletes one."""
    for name, text in files.items():
        path = folder / name
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink()


def commit(folder: Path, files: dict[str, str] | None = None) -> str:
    """Commit all that lies in a folder, after writing files; the commit's name."""
    write(folder, files or {})
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


def begun(folder: Path, files: dict[str, str]) -> Path:
    """A repository with one commit on the branch main, and a branch `mine` that is checked out."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, files)
    git(folder, "switch", "--quiet", "--create", "mine")
    return folder


def submission(name: str) -> dict[str, str]:
    """Files of a submission's folder."""
    return {
        f"submissions/{name}/submission.toml": CARD.format(name=name),
        f"submissions/{name}/explainer.py": EXPLAINER,
    }
