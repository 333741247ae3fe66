"""Workers elsewhere: in an interpreter of their own, or in this process where they need the fakes; nothing but texts,
and files on disk, goes to and fro.
"""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import EarwitnessError, unwritten
from earwitness.harness import engines, explain, orders, recipe
from earwitness.harness.engines import apart, at_work
from earwitness.harness.engines.apart import ApartEngine, LostWorkerError
from earwitness.harness.run import execute
from earwitness.harness.stages import LOG
from earwitness.results import rows, seals
from earwitness.version import VERSION

WORKER = f"{at_work.SOURCE}\nimport json, sys\nprint(json.dumps(at_work(json.loads(sys.argv[1]))))"


def named(text: str) -> str:
    """What a job says of its text, by its first word."""
    word, _, rest = text.partition(" ")
    if word == "fail":
        raise EarwitnessError(f"{rest} is bad")
    if word == "break":
        raise ValueError(rest)
    if word == "end":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    return text.upper()


class Interpreters:
    """A pool of one process a job."""

    def __init__(self, *flags: str, die: Callable[[int], bool] = lambda sent: False) -> None:
        self.flags, self.die = flags, die
        self.sent: list[int] = []
        self.waiting: dict[int, dict[str, Any]] = {}
        self.closed = False

    def send(self, jobs: dict[int, dict[str, Any]]) -> None:
        self.sent += list(jobs)
        self.waiting |= jobs

    def ended(self) -> dict[int, dict[str, Any]]:
        number, job = self.waiting.popitem()
        if self.die(len(self.sent)):
            return {number: {"lost": "a worker was lost"}}
        words = [sys.executable, *self.flags, "-c", WORKER, json.dumps(job)]
        return {number: json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)}

    def close(self) -> None:
        self.closed = True


class Here(Interpreters):
    """A pool whose workers are this process, under a key of seals of their own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.folder, self.patch = folder, patch
        self.texts: list[str] = []

    def ended(self) -> dict[int, dict[str, Any]]:
        number, job = self.waiting.popitem()
        self.texts.append(job["text"])
        with self.patch.context() as patch:
            patch.setenv(seals.STATE, str(self.folder))
            return {number: at_work.at_work()(job)}


def compute(pool: Any, texts: list[str], log: Path, function: Any = named) -> dict[str, Any]:
    return dict(ApartEngine(2, lambda _: pool).compute(function, texts, log))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find this module."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")


@pytest.mark.usefixtures("here")
def test_results_come_with_their_jobs_and_a_fault_is_one_line_with_a_traceback_in_the_log(tmp_path: Path) -> None:
    found = compute(Interpreters(), ["a", "fail b", "break c"], tmp_path / "log")
    assert found["a"] == "A"
    assert str(found["fail b"]) == "b is bad"
    assert str(found["break c"]).endswith(f": ValueError: c (see {tmp_path / 'log'})")
    assert "Traceback" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("here")
def test_a_job_whose_worker_is_lost_has_one_more_try_and_nothing_else_has(tmp_path: Path) -> None:
    pool = Interpreters(die=lambda sent: sent == 2)
    assert compute(pool, ["a", "b"], tmp_path / "log") == {"a": "A", "b": "B"}
    assert pool.sent == [0, 1, 1]


def test_a_job_that_loses_each_of_its_workers_ends_in_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    pool = Interpreters(die=lambda sent: True)
    error = compute(pool, ["a"], tmp_path / "log")["a"]
    assert isinstance(error, LostWorkerError)
    assert (str(error), error.exit_code) == ("a worker was lost, 2 times; run the same command to resume", 4)


def test_a_worker_without_the_package_is_named(tmp_path: Path) -> None:
    error = compute(Interpreters("-I", "-S"), ["a"], tmp_path / "log")["a"]
    assert f"has no earwitness in {sys.executable}: install version {VERSION} there" in str(error)


@pytest.mark.usefixtures("here")
def test_a_worker_with_another_version_is_named_and_not_run(tmp_path: Path) -> None:
    pool = Interpreters()
    job = {"module": "test_apart", "function": "named", "version": "9.9", "text": "a", "log": str(tmp_path / "log")}
    pool.send({0: job})
    assert f"has earwitness {VERSION}, and the run is made with 9.9: install that" in pool.ended()[0]["failed"]


@pytest.mark.usefixtures("here")
def test_a_worker_that_is_ended_gives_no_answer(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        compute(Interpreters(), ["end"], tmp_path / "log")
    assert caught.value.returncode == 143


def test_what_is_at_work_is_ended_where_the_user_stops(tmp_path: Path) -> None:
    pool = Interpreters(die=lambda sent: sent == 2)
    jobs: Any = ApartEngine(2, lambda _: pool).compute(named, ["a", "b"], tmp_path / "log")
    pool.ended = lambda: {0: {"done": "A"}}  # type: ignore[method-assign]
    next(jobs)
    assert not pool.closed
    with pytest.raises(KeyboardInterrupt):
        jobs.throw(KeyboardInterrupt)
    assert pool.closed


def test_an_engine_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # A folder of that name, with no code in it, is found as a package without an origin.
    monkeypatch.setattr(apart, "find_spec", lambda name: ModuleSpec(name, None) if name == "ray" else None)
    with pytest.raises(EarwitnessError, match=r"^ray is not installed: pip install 'earwitness\[ray\]'$"):
        engines.get("ray")
    with pytest.raises(EarwitnessError, match=r"^submitit is not installed: pip install 'earwitness\[slurm\]'$"):
        engines.get("slurm")


def test_a_machine_that_submits_nothing_to_slurm_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "find_spec", lambda name: ModuleSpec(name, None, origin="there"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EarwitnessError, match=r"^--engine slurm: no sbatch is here; run on a machine that submits"):
        engines.get("slurm")


def engine_of(pool: Any) -> ApartEngine:
    return ApartEngine(2, lambda _: pool)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(tmp_path / "state", monkeypatch)


def test_rows_are_the_same_from_workers_elsewhere_which_are_sent_no_arrays(
    make_run: Any, engine: Any, box: Any, scoring: Any, pool: Here, tmp_path: Path
) -> None:
    scoring.problem = "item-003"
    run = make_run(explainer_seeds=(0, 2))
    execute([run], engine)
    whole = rows.fingerprint(rows.read_run(run.folder))
    run.folder.rename(tmp_path / "elsewhere")
    (outcome,) = execute([run], engine_of(pool))
    assert (outcome.done, outcome.items, outcome.failed, outcome.errors) == (True, 40, 1, [])
    assert rows.fingerprint(rows.read_run(run.folder)) == whole
    assert max(map(len, pool.texts)) < 1000
    known = recipe.read(run.folder)
    assert known["engines"] == [{"engine": "apart", "workers": 2}]
    assert not list(run.folder.glob("scratch*"))


def test_a_run_that_is_begun_here_is_finished_elsewhere(
    make_run: Any, engine: Any, box: Any, scoring: Any, pool: Here
) -> None:
    run = make_run()
    execute([run], engine)
    whole = rows.fingerprint(rows.read_run(run.folder))
    (run.explanations / "00016.safetensors").unlink()
    (run.rows / "00016.parquet").unlink()
    recipe.write(run.folder, {**recipe.read(run.folder), "state": "running"})
    (outcome,) = execute([run], engine_of(pool))
    assert outcome.done
    asked = [json.loads(text) for text in pool.texts]
    assert [(each["stage"], each.get("shard")) for each in asked] == [
        ("prepare", None), ("explained", None), ("score", "00016"),
    ]  # fmt: skip
    assert rows.fingerprint(rows.read_run(run.folder)) == whole
    assert [each["engine"] for each in recipe.read(run.folder)["engines"]] == ["local", "apart"]


def test_what_workers_wrote_bears_a_seal_of_this_users(make_run: Any, box: Any, scoring: Any, pool: Here) -> None:
    run = make_run()
    execute([run], engine_of(pool))
    assert all(seals.is_sealed(path, run.name) for path in run.rows.glob("*.parquet"))
    before = len(pool.texts)
    (outcome,) = execute([run], engine_of(pool))
    assert outcome.done
    assert len(pool.texts) == before


def test_a_worker_with_other_packages_is_named_and_not_run(
    make_run: Any, box: Any, scoring: Any, pool: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    real = recipe.versions()
    of_workers = {**real, "torch": "0.1"}
    opened = orders._opened

    def elsewhere(folder: Path) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(recipe, "versions", lambda: of_workers)
            return opened(folder)

    monkeypatch.setattr(orders, "_opened", elsewhere)
    (outcome,) = execute([run], engine_of(pool))
    (error,) = outcome.errors
    assert f"has torch 0.1, and the run is made with {real['torch']}: install the same there" in error
    assert not outcome.done
    assert not box.batches


def test_a_worker_with_other_code_is_named_and_not_run(
    make_run: Any, box: Any, scoring: Any, pool: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = orders._opened

    def elsewhere(folder: Path) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(recipe, "explained", lambda stored: "other")
            return opened(folder)

    monkeypatch.setattr(orders, "_opened", elsewhere)
    (outcome,) = execute([make_run()], engine_of(pool))
    (error,) = outcome.errors
    assert error.startswith("worker ")
    assert error.endswith(" has other code of earwitness than the run is made with; install the same")
    assert not box.batches


def test_a_log_that_is_named_where_a_cluster_is_gone_stays(make_run: Any, pool: Here) -> None:
    run = make_run()
    log = run.out / LOG

    def gone(jobs: Any) -> None:
        raise EarwitnessError(f"the cluster is gone (see {log})")

    pool.send = gone  # type: ignore[method-assign]
    with pytest.raises(EarwitnessError, match="the cluster is gone"):
        execute([run], engine_of(pool))
    assert log.is_file()
    assert not run.folder.exists()
    assert pool.closed


def test_a_full_disk_is_one_line_and_the_same_command_resumes(
    make_run: Any, engine: Any, box: Any, scoring: Any, pool: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    with monkeypatch.context() as patch:

        def full(path: Path, *_: Any) -> None:
            raise unwritten(path, OSError(errno.ENOSPC, "No space left on device"))

        patch.setattr(explain, "write", full)
        (outcome,) = execute([run], engine_of(pool))
    assert not outcome.done
    assert [error.partition(": ")[2] for error in outcome.errors] == [
        "No space left on device; make room and run the same command to resume"
    ] * 3
    (outcome,) = execute([run], engine)
    assert (outcome.done, outcome.items) == (True, 40)


def test_a_file_that_is_not_what_a_worker_wrote_is_not_sealed(make_run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run" / "rows" / "00000.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other")
    with pytest.raises(EarwitnessError, match="is not what a worker wrote"):
        orders._seal(path, "run", hashlib.sha256(b"mine").hexdigest())
    assert not seals.is_sealed(path, "run")


def test_a_folder_that_workers_do_not_share_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SLOW", 0.0)
    with pytest.raises(EarwitnessError, match=r"it is not here; name a folder by --out that all share"):
        orders._seal(tmp_path / "none", "run", "")


def test_shards_are_dealt_out_to_boxes_that_share_no_folder(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    execute([run], engine)
    whole = rows.fingerprint(rows.read_run(run.folder))
    parts = explain.shards({0: explain_items(40)})
    dealt = orders.lanes(orders.ExplainJob(run, tuple(parts), ()), 2)
    assert [[shard.name for shard in job.shards] for job in dealt] == [["00000", "00032"], ["00016"]]
    assert [job.lane for job in dealt] == ["", "-1"]
    monkeypatch.setattr(type(engine), "lanes", 7)
    for path in [*run.rows.glob("*"), *run.explanations.glob("*")]:
        path.unlink()
    recipe.write(run.folder, {**recipe.read(run.folder), "state": "running"})
    before = box.opened
    execute([run], engine)
    assert box.opened == before + 3
    assert rows.fingerprint(rows.read_run(run.folder)) == whole


def explain_items(count: int) -> Any:
    from fakes import make_item

    return [make_item(f"item-{i:03d}") for i in range(count)]
