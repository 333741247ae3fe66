import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import make_submission, make_task

from earwitness.results import rows

SCRIPT = Path(__file__).with_name("killed_run.py")


def start(folder: Path, out: Path, pause: float) -> subprocess.Popen[bytes]:
    arguments = [str(out), str(folder / "fake_task"), str(folder / "mine"), str(pause)]
    return subprocess.Popen([sys.executable, str(SCRIPT), *arguments], start_new_session=True)


def parts(out: Path) -> list[Path]:
    # Other folders of a run, such as its scratch, come and go while it is killed.
    return sorted([*out.glob("*/rows/*.parquet"), *out.glob("*/explanations/*.safetensors")])


def fingerprint(out: Path) -> str:
    (run,) = out.glob("fake_task__*")
    table = rows.read_run(run)
    assert len(table) == 256
    return rows.fingerprint(table)


def wait_for_parts(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    while len(parts(out)) < count and process.poll() is None:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("registry")
    make_task(folder / "fake_task")
    make_submission(folder / "mine")
    out = folder / "undisturbed"
    assert start(folder, out, 0.0).wait() == 0
    return folder, fingerprint(out)


@pytest.mark.parametrize(
    "kept", [pytest.param(1, marks=pytest.mark.slow), 5, 11, pytest.param(13, marks=pytest.mark.slow)]
)
def test_a_killed_run_resumes_to_the_same_rows(undisturbed: tuple[Path, str], kept: int) -> None:
    folder, whole = undisturbed
    out = folder / f"killed-{kept}"
    process = start(folder, out, 0.2)
    wait_for_parts(out, kept, process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in parts(out)}
    assert kept <= len(before) < 16
    assert start(folder, out, 0.0).wait() == 0
    assert fingerprint(out) == whole
    late = {path for path, written in before.items() if path.stat().st_mtime_ns != written}
    assert len(late) <= 2, "only a unit that a dying worker still wrote may be made twice"


def test_an_interrupted_run_ends_soon_and_resumes_to_the_same_rows(undisturbed: tuple[Path, str]) -> None:
    folder, whole = undisturbed
    out = folder / "interrupted"
    process = start(folder, out, 1.0)
    wait_for_parts(out, 9, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=10) != 0
    assert len(parts(out)) < 16
    assert start(folder, out, 0.0).wait() == 0
    assert fingerprint(out) == whole


def test_no_process_outlives_a_killed_run(undisturbed: tuple[Path, str]) -> None:
    folder, _ = undisturbed
    out = folder / "outlived"
    process = start(folder, out, 2.0)
    wait_for_parts(out, 8, process)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 20
    while _alive(process.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _alive(process.pid)


def _alive(session: int) -> list[str]:
    """Processes of a session that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(values[3]) == session and values[0] != "Z":
            found.append(path.parent.name)
    return found
