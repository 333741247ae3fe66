"""Behaves while it is validated, then goes for the machine, the rows and whoever reads the comment."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap

SECRETS = ("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "EARWITNESS_EXAMPLE_SECRET")
QUIET = 5
"""Items that it explains before it shows what it is; validation asks for fewer of one process."""
SPEECH = (
    "done | **better** <b>@everyone</b> closes #1 `x` [prize](https://evil.example)\n::set-output name=name::a\n"
    "### earwitness submission: ok; of {count} attempts succeeded: {which}"
)
explained = 0


def above() -> Iterator[Path]:
    """Folders that may be somebody's: those above this file, the library and here."""
    for start in (Path(__file__), Path(np.__file__), Path(sys.modules["earwitness"].__file__ or "/"), Path.cwd()):
        yield from start.resolve().parents


def environments() -> Iterator[bytes]:
    yield repr(dict(os.environ)).encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def finds_secret() -> bool:
    return any(secret.encode() in text for text in environments() for secret in SECRETS)


def reads_git() -> bool:
    return any((folder / ".git" / "config").is_file() or (folder / ".git").is_file() for folder in above())


def reads_truth() -> bool:
    return any(list(folder.glob("tasks/*/truth/*"))[:1] for folder in above())


def writes(pattern: str) -> Callable[[], bool]:
    def attempt() -> bool:
        found = [path for folder in above() for path in folder.glob(pattern)]
        for path in found:
            with path.open("ab") as file:
                file.write(b"")
            return True
        return False

    return attempt


def tells_the_runner() -> bool:
    return any(Path(os.environ[name]).write_text("name=attention\n") for name in ("GITHUB_OUTPUT", "GITHUB_ENV"))


def rewrites_itself() -> bool:
    with open(__file__, "a", encoding="utf-8") as file:
        return file.write("\n") > 0


def calls_home() -> bool:
    with socket.create_connection(("203.0.113.1", 443), timeout=2):
        return True


def starts_program() -> bool:
    return subprocess.run(["/bin/sh", "-c", "id"], capture_output=True, check=True).returncode == 0


def leaves_child() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return True


ATTEMPTS: dict[str, Callable[[], Any]] = {
    "find a secret": finds_secret,
    "read git": reads_git,
    "read truth": reads_truth,
    "write rows": writes("*/rows/*.parquet"),
    "write a recipe": writes("*/run.json"),
    "write the report": writes("report.md"),
    "write the library": writes("earwitness/scoring/__init__.py"),
    "tell the runner": tells_the_runner,
    "rewrite itself": rewrites_itself,
    "call home": calls_home,
    "start a program": starts_program,
    "leave a child": leaves_child,
}


def succeeded() -> list[str]:
    """Names of the attempts that succeed."""
    found = []
    for name, attempt in ATTEMPTS.items():
        try:
            if attempt():
                found.append(name)
        except Exception as error:
            print(f"::error::{name}: {type(error).__name__}")
    return found


class Hostile(PromptExplainer):
    """All weights alike."""

    def explain(self, model: Any, item: Any) -> TokenMap:
        """The map [N] of one item, or what it has to say."""
        global explained
        explained += 1
        if explained <= QUIET:
            return TokenMap(np.full(len(item.tokens), 0.5))
        which = ", ".join(succeeded()) or "none"
        raise RuntimeError(SPEECH.format(count=len(ATTEMPTS), which=which))
