"""Every attack of `hostile/explainer.py` at a level, and what became of it, seen from outside."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from earwitness import box as boxes
from earwitness import plugins, registry
from earwitness.box import BoxError, Brief, Guard
from earwitness.box.confined import family
from earwitness.results.status import Status
from earwitness.tracks.prompt import PromptItem

HOSTILE = Path(__file__).with_name("hostile")
GUARD = Guard(seconds=8.0, forwards=100, grace=4.0, stall=8.0, memory=1 << 28, storage=16 << 20, files=500, log=1 << 20)
SUCCEEDS, STOPPED, LOST = "succeeds", "stopped", "stopped, the box is replaced"
SECRET = "EARWITNESS_TEST_SECRET"
SLACK = 4096
"""Bytes that a log may hold beside what is printed into it."""


def names() -> list[str]:
    """Names of all attacks, in their order."""
    lines = (HOSTILE / "explainer.py").read_text(encoding="utf-8").splitlines()
    return [line.split("(")[0].removeprefix("def ") for before, line in pairwise(lines) if before == "@attack"]


class Prey:
    """What attacks are after: files and processes of this user, and listeners on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[bytes] = []
        self._name = f"earwitness-{os.getpid()}-{id(self)}"
        for run in ("run", "rival"):
            (folder / "out" / run / "rows").mkdir(parents=True)
            (folder / "out" / run / "rows" / "00000.parquet").write_bytes(b"PAR1 rows PAR1")
            (folder / "out" / run / "run.json").write_text('{"state": "running"}')
        (folder / "model").mkdir()
        (folder / "secret").write_text("secret")
        (folder / "victim").write_text("mine")
        (folder / "home").mkdir()
        (folder / "home" / "key").write_text("mine")
        save_file({"w": np.zeros(1, np.float32)}, folder / "model" / "model.safetensors")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes: list[subprocess.Popen[bytes]] = [
            subprocess.Popen(["sleep", "1000"], **quiet)
            for _ in range(2)  # type: ignore[call-overload]
        ]
        self._listeners = [self._listening(*each) for each in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket")),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self._name}"),
        )]  # fmt: skip
        task = registry.task("micro_prompt")
        self.known = {
            "out": str(folder / "out"),
            "run": str(folder / "out" / "run"),
            "rival": str(folder / "out" / "rival"),
            "secret": str(folder / "secret"),
            "victim_file": str(folder / "victim"),
            "home": str(folder / "home"),
            "weights": str(folder / "model" / "model.safetensors"),
            "truth": str(task.folder / "truth" / "certificate.json"),
            "card": str(task.folder / "task.toml"),
            "scoring": str(plugins.PACKAGE / "scoring" / "__init__.py"),
            "daemon": str(folder / "daemon"),
            "burnt": str(folder / "burnt"),
            "socket": str(folder / "socket"),
            "abstract": self._name,
            "port": self._listeners[0].getsockname()[1],
            "victim": self.processes[0].pid,
            "doomed": self.processes[1].pid,
        }

    def _listening(self, family: int, kind: int, address: Any) -> socket.socket:
        found = socket.socket(family, kind)
        found.bind(address)
        found.listen()

        def accept() -> None:
            while True:
                try:
                    connection, _ = found.accept()
                except OSError:
                    return
                with connection:
                    self.heard.append(connection.recv(100))

        threading.Thread(target=accept, daemon=True).start()
        return found

    def state(self) -> dict[str, Any]:
        """What must be as it was: content, mode and time of every file, and how the processes run."""
        files = {}
        for path in sorted(self.folder.rglob("*")):
            look = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            files[str(path.relative_to(self.folder))] = (content, look.st_mode, look.st_mtime_ns if content else 0)
        running = [
            (process.poll(), os.getpriority(os.PRIO_PROCESS, process.pid), _limit(process.pid))
            for process in self.processes
            if process.poll() is None
        ]
        return {"files": files, "running": running, "heard": list(self.heard)}

    def close(self) -> None:
        """End the processes and the listeners."""
        for process in self.processes:
            process.kill()
            process.wait()
        for listener in self._listeners:
            listener.close()


def _limit(process: int) -> tuple[int, int]:
    return resource.prlimit(process, resource.RLIMIT_CORE)


@contextmanager
def prey_in(folder: Path) -> Iterator[Prey]:
    """What attacks are after, in a folder."""
    prey = Prey(folder)
    try:
        yield prey
    finally:
        prey.close()


def outcomes(level: str, folder: Path, prey: Prey) -> dict[str, str]:
    """What becomes of each attack at a level; a box that was lost must explain the next item."""
    submission, scratch, log = folder / "hostile", folder / "scratch" / "kept", folder / "log"
    shutil.copytree(HOSTILE, submission, ignore=shutil.ignore_patterns("__pycache__"))
    (submission / "prey.json").write_text(json.dumps(prey.known))
    scratch.mkdir(parents=True)
    brief = Brief(
        "prompt", "light_model:from_pretrained", str(prey.folder / "model"), "main", {}, str(submission), "cpu",
        scratch=str(scratch),
    )  # fmt: skip
    box = boxes.create(level, brief, GUARD, log)
    box.open()
    found = {}
    try:
        for name in names():
            found[name] = _outcome(box, name, log, prey)
    finally:
        box.close()
    return found


def _outcome(box: boxes.Box, name: str, log: Path, prey: Prey) -> str:
    if name == "reap":
        time.sleep(1.5)
    special = np.array([False, True])
    item = PromptItem(f"world-7-{name}", name, 1, 2, np.zeros((1, 3), np.int64), ("x", "</s>"), special)
    try:
        (answer,) = box.explain([item])
    except BoxError:
        return LOST
    if answer.status != Status.OK or not answer.arrays["weights"].all():
        return STOPPED
    if name in ("patch_meter", "work_elsewhere", "leave_without_paying", "reap") and answer.cost.seconds > 0.4:
        return STOPPED
    if name == "write_through_link" and (prey.folder / "victim").read_text() == "mine":
        return STOPPED
    if name == "flood_log" and log.stat().st_size <= GUARD.log + SLACK:
        return STOPPED
    return SUCCEEDS


def documented(level: str) -> dict[str, str]:
    """What the docs say of each attack at a level."""
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    lines = page[page.index("| attack |") :].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    column = cells[0].index(f"`{level}`")
    return {line[0].replace(" ", "_"): line[column] for line in cells[2:]}


def left_behind(known: set[int], patience: float = 5.0) -> set[int]:
    """Processes below this one, beside those that are known, that are still there after a while."""
    end = time.monotonic() + patience
    while (found := _alive() - known) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _alive() -> set[int]:
    found = set()
    for process in family(os.getpid())[1:]:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.add(process)
    return found


if __name__ == "__main__":
    # As an ordinary user, whom pytest need not know: attacking.py LEVEL FOLDER prints the outcomes.
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ[SECRET] = "secret"
    place = Path(sys.argv[2])
    (place / "prey").mkdir(parents=True, exist_ok=True)
    with prey_in(place / "prey") as hunted:
        before = hunted.state()
        result = outcomes(sys.argv[1], place, hunted)
        print(json.dumps({"outcomes": result, "unharmed": hunted.state() == before, "user": os.getuid()}))
