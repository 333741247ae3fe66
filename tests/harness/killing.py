"""Runs that are killed again and again: harness, box or worker, at random moments, until they are done.

`python tests/harness/killing.py KILLS LEVEL` prints a line a kill and a summary; tests take a few.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from boxed_run import EXPLAINER
from fakes import TASK, make_submission

from earwitness.box.confined import family
from earwitness.results import rows

HERE = Path(__file__).parent
KINDS = {"box": "earwitness.box.child", "worker": "spawn_main"}
"""What the command lines of a harness's processes hold."""


@dataclass
class Killed:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    """That were brought to their end."""
    faults: list[str] = field(default_factory=list)


def prepared(folder: Path) -> None:
    """A task of a light model and a submission."""
    task = folder / "fake_task"
    (task / "model").mkdir(parents=True)
    light = TASK.replace('adapter = "musicgen"', 'adapter = "light_model:from_pretrained"')
    (task / "task.toml").write_text(light, encoding="utf-8")
    make_submission(folder / "mine", EXPLAINER)


def start(folder: Path, out: Path, level: str) -> subprocess.Popen[bytes]:
    """Begin a run, or go on with it."""
    path = os.pathsep.join([str(HERE), str(HERE.parent / "box"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "ignore", str(HERE / "boxed_run.py"), str(out)]
    return subprocess.Popen(
        [*command, str(folder / "fake_task"), str(folder / "mine"), level],
        env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def whole(out: Path) -> str:
    """Fingerprint of the rows of the run in a folder."""
    (run,) = out.glob("fake_task__*")
    return rows.fingerprint(rows.read_run(run))


def kill(folder: Path, level: str, kills: int, seed: int = 0) -> Killed:
    """So many kills, over as many runs as it takes; each run must end with the rows of one that nobody disturbed."""
    drawn, killed = random.Random(seed), Killed()
    assert start(folder, folder / "undisturbed", level).wait() == 0
    expected = whole(folder / "undisturbed")
    while sum(killed.kills.values()) < kills:
        out = folder / f"run-{killed.runs}"
        # One run takes so many kills, then it may end.
        for _ in range(min(drawn.randint(2, 6), kills - sum(killed.kills.values()))):
            killed.kills[_one(folder, out, level, drawn, killed)] += 1
        if start(folder, out, level).wait() != 0:
            # An item that its killed box cost is a failed item: made again where the run begins anew.
            killed.faults.append(f"{out.name}: not done")
        killed.runs += 1
        _compare(out, expected, killed)
    return killed


def _compare(out: Path, expected: str, killed: Killed) -> None:
    if half := [path.name for path in out.rglob("*.tmp")]:
        killed.faults.append(f"{out.name}: half files {half}")
    if whole(out) != expected:
        killed.faults.append(f"{out.name}: other rows")


def _one(folder: Path, out: Path, level: str, drawn: random.Random, killed: Killed) -> str:
    """Kill one process of a run at a random moment, wait for the run's end, and look for what is left."""
    process = start(folder, out, level)
    time.sleep(drawn.uniform(0.2, 6.0))
    kind = drawn.choice(["harness", *KINDS])
    known = family(process.pid)
    victims = [process.pid] if kind == "harness" else [each for each in known if KINDS[kind] in _command(each)]
    for victim in victims[-1:]:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    end = time.monotonic() + 20
    while (left := [each for each in known if _runs(each)]) and time.monotonic() < end:
        time.sleep(0.1)
    if left:
        killed.faults.append(f"{out.name}: processes {left} outlived a killed {kind}")
    return kind


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="earwitness-killing-") as place:
        os.environ.setdefault("EARWITNESS_STATE", str(Path(place, "state")))
        prepared(Path(place))
        found = kill(Path(place), sys.argv[2], int(sys.argv[1]))
    print(f"{dict(found.kills)} killed over {found.runs} runs at {sys.argv[2]}; faults: {found.faults or 'none'}")
    sys.exit(bool(found.faults))
