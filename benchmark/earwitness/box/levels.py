"""Which isolation levels are to be had here: each is tried, and what it must stop is attempted inside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.box import LEVELS, UNISOLATED, Guard, syscalls
from earwitness.errors import EarwitnessError, short

if TYPE_CHECKING:
    from earwitness.box.confined import Level

SECONDS = 30.0
"""In which a trial ends."""
TRIALS = 2
"""Of a level that fails: a busy machine must not make a box weaker."""
ATTEMPTS = """
import json, os, socket, sys
canary, found = sys.argv[1], []
def attempt(name, function):
    try:
        function()
    except BaseException:
        return
    found.append(name)
attempt("reads", lambda: open(canary).read())
attempt("writes", lambda: open(canary + ".new", "w"))
attempt("connects", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("starts processes", lambda: os.fork() or os._exit(0))
attempt("sees others", lambda: os.kill(int(sys.argv[2]), 0))
print(json.dumps(found))
"""
"""What a box must stop, tried inside: a file and a process of this user, a socket, a second process."""
BUBBLEWRAP = "install it (Debian and Ubuntu: apt install bubblewrap), or use --isolation landlock"
NAMESPACES = (
    "this kernel lets this user have no namespaces; on Ubuntu 24.04 and later allow them by "
    "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for bwrap, elsewhere by "
    "`sysctl user.max_user_namespaces=15000`; a container must allow them, too; or use --isolation landlock"
)


def strongest() -> str:
    """The strongest level that is to be had here."""
    return next(level for level in LEVELS if not lacking(level))


def isolated(why: str = "--untrusted") -> str:
    """The strongest level that keeps something from untrusted code; `why` says what asks for it.

    Raises EarwitnessError where none is to be had, with what each would need.
    """
    found = strongest()
    if found in UNISOLATED:
        raise EarwitnessError(f"{why}: no isolation is to be had here. {missing()}")
    return found


def missing() -> str:
    """Why levels that isolate are not to be had here."""
    return "; ".join(f"{level}: {lacking(level)}" for level in LEVELS if level not in UNISOLATED)


def require(level: str) -> None:
    """Raise EarwitnessError, with what to do, where a level is not to be had here."""
    if reason := lacking(level):
        raise EarwitnessError(f"isolation {level} is not to be had here: {reason}")


@cache
def lacking(level: str) -> str:
    """Why a level is not to be had here, and what to do; empty where it is."""
    if level in UNISOLATED:
        return ""
    if sys.platform != "linux":
        return "it is Linux' own; use a machine with Linux for code that you do not trust"
    if not syscalls.supported():
        return f"there is no seccomp filter for {os.uname().machine}; use a machine of x86_64 or aarch64"
    if level == "bwrap" and shutil.which("bwrap") is None:
        return f"no bwrap is installed; {BUBBLEWRAP}"
    from earwitness.box import bwrap, landlock

    known: dict[str, Level] = {each.name: each for each in (bwrap.LEVEL, landlock.LEVEL)}
    reached: list[str] = []
    failed = ""
    for _ in range(TRIALS):
        try:
            reached, failed = _tried(known[level]), ""
            break
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            failed = str(error)
    if failed:
        return _explained(level, failed)
    return f"what it must stop succeeds inside: {', '.join(reached)}; report this kernel" if reached else ""


def _tried(level: Level) -> list[str]:
    """What succeeded of the attempts inside a level; raises OSError or ValueError where nothing could be tried."""
    from earwitness.box.confined import Confinement, launch
    from earwitness.box.view import bare_view

    with tempfile.TemporaryDirectory(prefix="earwitness-trial-") as folder:
        canary, home, said = Path(folder, "canary"), Path(folder, "home"), Path(folder, "said")
        canary.write_text("mine")
        home.mkdir()
        command = [sys.executable, "-I", "-S", "-c", ATTEMPTS, str(canary), str(os.getpid())]
        confinement = Confinement(bare_view(), Guard(SECONDS, 0), home, None)
        with said.open("wb") as output:
            process = launch(level, confinement, command, None, (), output.fileno())
            try:
                code = process.wait(SECONDS)
            finally:
                process.kill()
                process.wait()
        words = said.read_text("utf-8", "backslashreplace").strip()
        if code:
            raise OSError(short(words.splitlines()[-1]) if words else f"it ended with exit code {code}")
        found: list[str] = json.loads(words.splitlines()[-1])
        return found


def _explained(level: str, error: str) -> str:
    if level == "bwrap":
        return (
            f"{error}; {NAMESPACES}" if "namespace" in error or "uid map" in error or "setting up" in error else error
        )
    return f"{error}; use a kernel of Linux 6.12 or later with Landlock, or --isolation bwrap"
