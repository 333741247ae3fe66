"""Jobs in a queue of Slurm, of which scripts and a stand-in for submitit play the parts: what it says, and is asked."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness.engines import apart, slurm
from earwitness.harness.engines.settings import EngineSettings
from earwitness.harness.engines.slurm import SlurmPool

Queue = SimpleNamespace


class Job:
    """A job of the stand-in, with its answer where it has one."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self.job_id = job_id
        self.paths = SimpleNamespace(result_pickle=folder / f"{job_id}.pkl", stderr=folder / f"{job_id}.err")

    def answers(self, outcome: str, value: Any) -> None:
        self.paths.result_pickle.touch()
        self._get_outcome_and_result = lambda: (outcome, value)


class Executor:
    """submitit's, of which jobs are seen by the test."""

    queue: Queue

    def __init__(self, folder: Path, max_num_timeout: int) -> None:
        self.folder = folder

    def update_parameters(self, **asked: Any) -> None:
        self.queue.asked = asked

    def map_array(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Job]:
        if self.queue.refuses:
            raise self.queue.refuses
        array = len(self.queue.arrays) + 7
        found = [Job(self.folder, f"{array}_{number}") for number in range(len(jobs))]
        self.queue.arrays.append(found)
        return found


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """What the scheduler knows: `says` is what squeue prints, `cancelled` what scancel was told."""
    queue = SimpleNamespace(arrays=[], asked={}, refuses=None, folder=tmp_path / "bin")
    queue.folder.mkdir()
    for name, does in {"squeue": "cat $(dirname $0)/says", "scancel": 'echo "$@" >> $(dirname $0)/cancelled'}.items():
        (queue.folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (queue.folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(queue.folder), prepend=":")
    fake: Any = ModuleType("submitit")
    fake.SlurmExecutor = type("SlurmExecutor", (Executor,), {"queue": queue})
    monkeypatch.setitem(sys.modules, "submitit", fake)
    for name in ("POLL", "ASKED", "SETTLE"):
        monkeypatch.setattr(slurm, name, 0.0)
    return queue


def says(queue: Queue, text: str) -> None:
    (queue.folder / "says").write_text(text)


def pool_of(tmp_path: Path, workers: int = 2, jobs: int = 2) -> SlurmPool:
    pool = SlurmPool(workers, EngineSettings(), tmp_path / "runs" / "log")
    pool.send({number: {"text": str(number)} for number in range(jobs)})
    return pool


def test_answers_come_with_the_numbers_of_their_jobs_and_nothing_stays(tmp_path: Path, queue: Queue) -> None:
    pool = pool_of(tmp_path)
    says(queue, "7_0|RUNNING\n7_1|RUNNING\n")
    assert pool.ended() == {}
    queue.arrays[0][1].answers("success", {"done": "b"})
    assert pool.ended() == {1: {"done": "b"}}
    queue.arrays[0][0].answers("error", "Traceback\nValueError: a")
    assert pool.ended() == {0: {"failed": "job 7_0 of Slurm: ValueError: a"}}
    pool.close()
    assert not list((tmp_path / "runs").iterdir())
    assert not (queue.folder / "cancelled").exists()


@pytest.mark.parametrize(
    ("listed", "lost"),
    [
        ("7_0|CANCELLED\n", "job 7_0 of Slurm is CANCELLED and gave no answer (it was ended)"),
        ("7_0|TIMEOUT\n", "job 7_0 of Slurm is TIMEOUT and gave no answer (it was ended); give jobs longer: "
         "--engine-option time=MINUTES"),
        ("", "job 7_0 of Slurm is FORGOTTEN and gave no answer (it was ended)"),
    ],
)  # fmt: skip
def test_a_job_that_ended_without_an_answer_is_lost(tmp_path: Path, queue: Queue, listed: str, lost: str) -> None:
    pool = pool_of(tmp_path)
    queue.arrays[0][0].paths.stderr.write_text("slurmstepd: error\nit was ended\n\n")
    says(queue, f"{listed}7_1|PENDING\n8_0|FAILED\n")
    assert pool.ended() == {0: {"lost": lost}}
    assert pool.ended() == {}
    pool.close()
    assert (queue.folder / "cancelled").read_text() == "7\n"


def test_a_job_that_is_put_back_into_the_queue_is_not_lost(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(tmp_path, jobs=1)
    monkeypatch.setattr(slurm, "SETTLE", 1000.0)
    says(queue, "7_0|NODE_FAIL\n")
    assert pool.ended() == {}
    says(queue, "7_0|PENDING\n")
    assert pool.ended() == {}
    monkeypatch.setattr(slurm, "SETTLE", 0.0)
    assert pool.ended() == {}


def test_a_scheduler_that_is_silent_for_long_is_one_line(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(tmp_path)
    assert pool.ended() == {}
    monkeypatch.setattr(slurm, "SILENT", 0.0)
    with pytest.raises(
        EarwitnessError, match=r"^Slurm has not answered for 0 s; run the same command to resume"
    ) as caught:
        pool.ended()
    assert caught.value.exit_code == 4


def test_jobs_that_are_not_taken_are_one_line(tmp_path: Path, queue: Queue) -> None:
    queue.refuses = RuntimeError("sbatch: error: invalid partition specified: gpu\nsbatch: error: Batch job failed\n")
    with pytest.raises(
        EarwitnessError, match=r"^sbatch took no jobs: sbatch: error: Batch job failed; mend that"
    ) as caught:
        pool_of(tmp_path)
    assert caught.value.exit_code == 4
    queue.refuses = OSError(28, "No space left on device")
    with pytest.raises(EarwitnessError, match=r"^cannot write .*/runs/\.slurm/.*: No space left on device"):
        pool_of(tmp_path)


def test_a_folder_that_takes_no_jobs_is_one_line(tmp_path: Path, queue: Queue) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / slurm.JOBS).touch()
    with pytest.raises(EarwitnessError, match=r"^cannot write .*/runs/\.slurm: "):
        pool_of(tmp_path)


def test_an_array_holds_no_more_than_a_scheduler_takes(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "ARRAY", 3)
    pool = pool_of(tmp_path, workers=2, jobs=5)
    says(queue, "".join(f"7_{number}|RUNNING\n" for number in range(3)))
    assert queue.asked["array_parallelism"] == 2
    for number in (0, 1):
        queue.arrays[0][number].answers("success", {"done": ""})
    assert sorted(pool.ended()) == [0, 1]
    pool.ended()
    assert [len(array) for array in queue.arrays] == [3, 2]


def test_jobs_have_the_partitions_limit_unless_another_is_given() -> None:
    assert slurm.parameters(EngineSettings())["time"] is None
    assert slurm.parameters(EngineSettings(lines=("module load a",)))["setup"] == [
        "module load a", "export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
    ]  # fmt: skip


def test_a_share_of_a_gpu_is_one_line(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "is_installed", lambda package: True)
    monkeypatch.setattr(slurm, "COMMANDS", ("squeue",))
    with pytest.raises(EarwitnessError, match=r"^--engine slurm: gpus is 0\.5, and Slurm gives whole ones$"):
        slurm.open_engine(EngineSettings(gpus=0.5))
    assert isinstance(slurm.open_engine(EngineSettings(gpus=1)), apart.ApartEngine)
