import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness import engines
from earwitness.harness.engines.local import LocalEngine, WorkerError


def double(number: int) -> int:
    print("printed by a worker", flush=True)
    return 2 * number


def fail_on_two(number: int) -> int:
    if number == 2:
        raise ValueError("two\nis bad")
    if number == 3:
        raise EarwitnessError("three is bad")
    return number


def die_on_two(number: int) -> int:
    if number == 2:
        os._exit(3)
    return number


def die(by: signal.Signals) -> None:
    os.kill(os.getpid(), by)
    time.sleep(10)


def threads(_: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def test_results_come_with_their_jobs_and_prints_go_to_the_log(tmp_path: Path) -> None:
    found = dict(LocalEngine().compute(double, [1, 2, 3], tmp_path / "log"))
    assert found == {1: 2, 2: 4, 3: 6}
    assert "printed by a worker" in (tmp_path / "log").read_text()


def test_a_job_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    found = dict(LocalEngine().compute(fail_on_two, [1, 2, 3, 4], tmp_path / "log"))
    assert (found[1], found[4]) == (1, 4)
    assert str(found[2]) == f"ValueError: two is bad (see {tmp_path / 'log'})"
    assert isinstance(found[3], EarwitnessError)
    assert str(found[3]) == "three is bad"
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_worker_that_dies_ends_in_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    found = dict(LocalEngine(workers=1).compute(die_on_two, [1, 2], tmp_path / "log"))
    assert isinstance(found[2], WorkerError)
    assert str(found[2]) == "a scoring process ended with exit code 3; run the same command to resume"


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (signal.SIGKILL, "was killed (out of memory?)"),
        (signal.SIGSEGV, "crashed (segmentation fault)"),
        (signal.SIGTERM, "was ended by SIGTERM"),
    ],
)
def test_a_worker_is_only_said_to_lack_memory_where_it_is_killed(tmp_path: Path, by: signal.Signals, says: str) -> None:
    found = dict(LocalEngine(workers=2).compute(die, [by], tmp_path / "log"))
    assert str(found[by]) == f"a scoring process {says}; run the same command to resume"


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EarwitnessError, match=r"^cannot write .*log: "):
        next(LocalEngine().compute(double, [1], tmp_path / "file" / "log"))


def test_workers_compute_with_one_thread_and_the_caller_keeps_its_own_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert dict(LocalEngine().compute(threads, [1], tmp_path / "log")) == {1: "1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_thread_that_fails_leaves_the_others_alone() -> None:
    found = dict(LocalEngine().drive(fail_on_two, [1, 2, 4]))
    assert isinstance(found[2], ValueError)
    assert (found[1], found[4]) == (1, 4)


def test_an_interrupted_drive_tells_its_jobs_to_stop() -> None:
    engine = LocalEngine()
    jobs: Any = engine.drive(fail_on_two, [1, 4])
    next(jobs)
    assert not engine.stopped()
    with pytest.raises(KeyboardInterrupt):
        jobs.throw(KeyboardInterrupt)
    assert engine.stopped()


def test_an_unknown_engine_names_those_there_are() -> None:
    with pytest.raises(EarwitnessError, match="no engine is called 'dask'; engines: local, ray, slurm"):
        engines.get("dask")
    with pytest.raises(EarwitnessError, match="did you mean 'slurm'"):
        engines.get("slrum")
