"""A real Ray on this machine, and a real Slurm that answers: rows are those of the local engine, whatever dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from earwitness.results import rows

COMMAND = [*("-m", "earwitness.cli", "run", "--task", "micro_speech", "--submission", "occlusion", "--items", "20")]
SECONDS = 1500
BOXES = "earwitness.box.child"


def start(engine: str, out: Path) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        *COMMAND,
        "--isolation",
        "process",
        "--workers",
        "2",
        "--engine",
        engine,
        "--out",
        str(out),
    ]
    with (out.parent / f"{engine}.txt").open("ab") as said:
        return subprocess.Popen(words, stdout=said, stderr=said)


def fingerprint(out: Path) -> str:
    (folder,) = out.glob("micro_speech__*")
    assert json.loads((folder / "run.json").read_text())["state"] == "done"
    return rows.fingerprint(rows.read_run(folder))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows of the local engine."""
    out = tmp_path_factory.mktemp("local") / "runs"
    assert start("local", out).wait(SECONDS) == 0
    return fingerprint(out)


def kill_a_worker(name: bytes, process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the first process that explains: parent of a box, of that title."""
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        for stat in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if BOXES.encode() not in stat.read_bytes():
                    continue
                parent = int((stat.parent / "stat").read_text().rpartition(")")[2].split()[1])
                if name in Path(f"/proc/{parent}/cmdline").read_bytes():
                    os.kill(parent, signal.SIGKILL)
                    return
            except (OSError, ValueError):
                continue
        time.sleep(0.1)
    pytest.fail("no worker was seen at work")


@pytest.mark.ray
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'earwitness[ray]'")
def test_rows_are_the_same_from_ray_of_which_a_worker_is_killed(local: str, tmp_path: Path) -> None:
    process = start("ray", tmp_path / "runs")
    kill_a_worker(b"ray::", process)
    assert process.wait(SECONDS) == 0
    assert fingerprint(tmp_path / "runs") == local


@pytest.mark.slurm
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.skipif(
    find_spec("submitit") is None or shutil.which("sbatch") is None,
    reason="needs submitit, pip install 'earwitness[slurm]', and sbatch, of a Slurm that answers",
)
def test_rows_are_the_same_from_slurm_of_which_a_job_is_cancelled(local: str, tmp_path: Path) -> None:
    process = start("slurm", tmp_path / "runs")
    end = time.monotonic() + SECONDS
    # Once a box is at work the jobs explain: one of them is cancelled.
    while not list((tmp_path / "runs").glob("micro_speech__*/scratch-*")) and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.2)
    asked = ["squeue", "-h", "-r", "-n", "earwitness", "-t", "RUNNING", "-o", "%i"]
    name, *_ = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["scancel", name], check=True)
    assert process.wait(SECONDS) == 0
    assert fingerprint(tmp_path / "runs") == local
