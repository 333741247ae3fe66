"""The Slurm engine: job arrays by submitit, a job for each shard, so many at a time as there are workers."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import ITEM_FAILED, EarwitnessError, one_line, short, unwritten
from earwitness.extras import not_installed
from earwitness.harness.engines.apart import ApartEngine, is_installed
from earwitness.harness.engines.at_work import at_work
from earwitness.harness.engines.local import WORKERS

if TYPE_CHECKING:
    from earwitness.harness.engines.settings import EngineSettings

POLL = 0.5
"""Seconds between two looks for answers."""
ASKED = 5.0
"""Seconds between two questions to the scheduler."""
SILENT = 120.0
"""Seconds in which a scheduler answers that is there."""
SETTLE = 10.0
"""Seconds for which the answer of an ended job may still be on its way over the disk."""
JOBS = ".slurm"
"""Folder beside the runs with scripts, answers and logs of jobs."""
DIRECTIVE = "#SBATCH --"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
ONE_THREAD = "export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"
"""Before the interpreter starts, as on other engines: sums in one order."""
COMMANDS = ("sbatch", "scancel", "squeue", "sacct")


class SchedulerGoneError(EarwitnessError):
    """The scheduler takes no jobs, or does not answer any more."""

    exit_code = ITEM_FAILED


class SlurmPool:
    """Jobs of this command in the scheduler's queue."""

    def __init__(self, workers: int, settings: EngineSettings, log: Path) -> None:
        """Nothing is submitted yet."""
        self._workers, self._settings = workers, settings
        self._folder = log.parent.resolve() / JOBS
        self._jobs: dict[int, Any] = {}
        self._arrays: set[str] = set()
        self._over: dict[int, float] = {}
        self._states: dict[str, str] = {}
        self._asked = self._answered = time.monotonic()

    def send(self, jobs: dict[int, dict[str, Any]]) -> None:
        """Submit an array; raises SchedulerGoneError where it is not taken."""
        import submitit

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            executor = submitit.SlurmExecutor(folder=self._folder, max_num_timeout=0)
            executor.update_parameters(**parameters(self._settings), array_parallelism=self._workers)
            found = executor.map_array(at_work(), list(jobs.values()))
        except OSError as error:
            raise unwritten(self._folder, error) from error
        except Exception as error:  # submitit has no class of its own for what sbatch says
            raise SchedulerGoneError(f"sbatch took no jobs: {_last_words(error)}; mend that and run again") from error
        self._jobs |= dict(zip(jobs, found, strict=True))
        self._arrays |= {job.job_id.partition("_")[0] for job in found}

    def ended(self) -> dict[int, dict[str, Any]]:
        """What became of the jobs that ended; raises SchedulerGoneError where nobody answers any more."""
        time.sleep(POLL)
        self._ask()
        found = {}
        for number, job in list(self._jobs.items()):
            said = self._of(number, job)
            if said is not None:
                found[number] = said
                del self._jobs[number]
                self._over.pop(number, None)
        return found

    def close(self) -> None:
        """Cancel the jobs that are left, and take their files away where all went well."""
        if self._jobs:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                names = [job.job_id for job in self._jobs.values()]
                subprocess.run(["scancel", *names], capture_output=True, timeout=60, check=False)
            return
        for array in self._arrays:
            for path in self._folder.glob(f"{array}_*"):
                with contextlib.suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        with contextlib.suppress(OSError):
            for path in self._folder.glob("submission_file_*.sh"):
                path.unlink()
            self._folder.rmdir()

    def _ask(self) -> None:
        """Ask the scheduler for the states of jobs, now and then."""
        now = time.monotonic()
        if now - self._asked < ASKED or not self._jobs:
            return
        self._asked = now
        known = _states(sorted(self._arrays))
        if known is not None:
            self._answered = now
            self._states |= known
        elif now - self._answered > SILENT:
            raise SchedulerGoneError(
                f"Slurm has not answered for {SILENT:.0f} s; run the same command to resume, on another engine if need "
                "be"
            )

    def _of(self, number: int, job: Any) -> dict[str, Any] | None:
        """What became of a job; None while it is at work."""
        if job.paths.result_pickle.exists():
            try:
                outcome, value = job._get_outcome_and_result()
            except Exception as error:  # what unpickling can raise
                return {"lost": f"job {job.job_id} left an answer that cannot be read ({one_line(error)})"}
            if outcome == "success":
                answer: dict[str, Any] = value
                return answer
            return {"failed": f"job {job.job_id}: {short(str(value).strip().splitlines()[-1])}"}
        state = self._states.get(job.job_id, "")
        if not state.startswith(ENDED):
            return None
        since = self._over.setdefault(number, time.monotonic())
        if time.monotonic() - since < SETTLE:
            return None
        return {"lost": f"job {job.job_id} of Slurm ended with {state.split()[0]} and no answer{_why(job)}"}


def parameters(settings: EngineSettings) -> dict[str, Any]:
    """What submitit is told of each job.

    >>> from earwitness.harness.engines.settings import EngineSettings
    >>> asked = EngineSettings(time=30, memory=8, lines=("#SBATCH --constraint=a100", "module load cuda"))
    >>> found = parameters(asked)
    >>> found["time"], found["mem"], found["additional_parameters"], found["setup"][1:]
    (30, '8GB', {'constraint': 'a100'}, ['module load cuda'])
    """
    directives = [line.removeprefix(DIRECTIVE) for line in settings.lines if line.startswith(DIRECTIVE)]
    pairs = [line.partition("=") for line in directives]
    found: dict[str, Any] = {
        "job_name": "earwitness",
        "ntasks_per_node": 1,
        "cpus_per_task": 1,
        "additional_parameters": {name: value if sign else True for name, sign, value in pairs},
        "setup": [ONE_THREAD] + [line for line in settings.lines if not line.startswith(DIRECTIVE)],
    }
    optional = {
        "partition": settings.partition,
        "account": settings.account,
        "time": settings.time,
        "mem": None if settings.memory is None else f"{settings.memory}GB",
        "gpus_per_node": int(settings.gpus) or None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _states(arrays: list[str]) -> dict[str, str] | None:
    """States of the jobs of some arrays, by job; None where the scheduler does not answer."""
    asked = ["sacct", "-X", "-n", "-P", "-o", "JobID,State", "-j", ",".join(arrays)]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        alive = subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    if told.returncode or alive.returncode:
        return None
    lines = [line.split("|") for line in told.stdout.splitlines() if "|" in line]
    return {line[0]: line[1] for line in lines}


def _last_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "error:" in line), lines[-1] if lines else type(error).__name__)
    return short(said)


def _why(job: Any) -> str:
    """The last line that a job printed as an error, if any."""
    try:
        lines = Path(job.paths.stderr).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    said = [line for line in lines if line.strip()]
    return f" ({short(said[-1])})" if said else ""


def open_engine(settings: EngineSettings) -> ApartEngine:
    """The engine; raises EarwitnessError where submitit, or a command of Slurm, is not here."""
    if not is_installed("submitit"):
        raise not_installed("submitit", "slurm")
    for command in COMMANDS:
        if shutil.which(command) is None:
            raise EarwitnessError(f"--engine slurm: no {command} is here; run on a machine that submits jobs to Slurm")
    workers = settings.workers or WORKERS
    engine = ApartEngine(workers, partial(SlurmPool, workers, settings))
    engine.name = "slurm"
    return engine
