"""The Slurm engine: job arrays by submitit, a job for each shard, so many at a time as there are workers."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import ITEM_FAILED, EarwitnessError, one_line, short, unwritten
from earwitness.extras import not_installed
from earwitness.harness.engines.apart import ApartEngine, is_installed
from earwitness.harness.engines.at_work import at_work
from earwitness.harness.engines.local import ONE_THREAD, WORKERS

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
"""Folder beside the runs with a folder for each command that has jobs: scripts, answers and logs."""
ARRAY = 1000
"""Jobs of an array at most: a scheduler that was not told otherwise takes no more."""
DIRECTIVE = "#SBATCH --"
FORGOTTEN = "FORGOTTEN"
"""State of a job that the scheduler does not list any more."""
ENDED = {
    "TIMEOUT": "; give jobs longer: --engine-option time=MINUTES",
    "OUT_OF_MEMORY": "; give jobs more: --engine-option memory=GIB",
    **dict.fromkeys(("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "PREEMPTED"), ""),
    FORGOTTEN: "",
}
"""States that no job comes back from, with what to do."""
COMMANDS = ("sbatch", "srun", "scancel", "squeue")


class SchedulerGoneError(EarwitnessError):
    """The scheduler takes no jobs, or does not answer any more."""

    exit_code = ITEM_FAILED


class SlurmPool:
    """Jobs of this command in the scheduler's queue."""

    def __init__(self, workers: int, settings: EngineSettings, log: Path) -> None:
        """Nothing is submitted yet; raises EarwitnessError where the folder of jobs cannot be made."""
        self._workers, self._settings = workers, settings
        above = log.parent.resolve() / JOBS
        try:
            above.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(dir=above))
        except OSError as error:
            raise unwritten(above, error) from error
        self._waiting: dict[int, dict[str, Any]] = {}
        self._jobs: dict[int, Any] = {}
        self._over: dict[int, float] = {}
        self._states: dict[str, str] = {}
        self._lost = False
        self._asked = self._answered = 0.0

    def send(self, jobs: dict[int, dict[str, Any]]) -> None:
        """Submit jobs; raises SchedulerGoneError where they are not taken."""
        self._waiting |= jobs
        self._submit()

    def ended(self) -> dict[int, dict[str, Any]]:
        """What became of the jobs that ended; raises SchedulerGoneError where nobody answers any more."""
        self._submit()
        time.sleep(POLL)
        self._ask()
        found = {}
        for number, job in list(self._jobs.items()):
            said = self._of(number, job)
            if said is not None:
                found[number] = said
                self._lost |= "lost" in said
                del self._jobs[number]
                self._over.pop(number, None)
        return found

    def close(self) -> None:
        """Cancel the jobs that are left, and take this command's files away where no job was lost."""
        if self._jobs:
            names = sorted({job.job_id.partition("_")[0] for job in self._jobs.values()})
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["scancel", *names], capture_output=True, timeout=60, check=False)
        elif not self._lost:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._folder.parent.rmdir()

    def _submit(self) -> None:
        """Submit an array of what waits, where workers would else have nothing to do."""
        import submitit

        if not self._waiting or len(self._jobs) >= self._workers:
            return
        part = dict(islice(self._waiting.items(), ARRAY))
        try:
            executor = submitit.SlurmExecutor(folder=self._folder, max_num_timeout=0)
            executor.update_parameters(**parameters(self._settings), array_parallelism=self._workers)
            # submitit prints what sbatch says, which is in the error, too.
            with contextlib.redirect_stderr(io.StringIO()):
                found = executor.map_array(at_work(), list(part.values()))
        except OSError as error:
            raise unwritten(self._folder, error) from error
        except Exception as error:  # submitit has no class of its own for what sbatch says
            raise SchedulerGoneError(f"sbatch took no jobs: {_last_words(error)}; mend that and run again") from error
        if not self._jobs:
            self._asked = self._answered = time.monotonic()
        self._jobs |= dict(zip(part, found, strict=True))
        self._waiting = {number: job for number, job in self._waiting.items() if number not in part}

    def _ask(self) -> None:
        """Ask the scheduler for the states of jobs, now and then."""
        now = time.monotonic()
        if now - self._asked < ASKED or not self._jobs:
            return
        self._asked = now
        known = _states()
        if known is not None:
            self._answered = now
            self._states = {job.job_id: known.get(job.job_id, FORGOTTEN) for job in self._jobs.values()}
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
                return {"lost": f"job {job.job_id} of Slurm left an answer that cannot be read ({one_line(error)})"}
            if outcome == "success":
                answer: dict[str, Any] = value
                return answer
            return {"failed": f"job {job.job_id} of Slurm: {short(str(value).strip().splitlines()[-1])}"}
        state = self._states.get(job.job_id, "")
        if state not in ENDED:
            self._over.pop(number, None)
            return None
        since = self._over.setdefault(number, time.monotonic())
        if time.monotonic() - since < SETTLE:
            return None
        return {"lost": f"job {job.job_id} of Slurm is {state} and gave no answer{_why(job)}{ENDED[state]}"}


def parameters(settings: EngineSettings) -> dict[str, Any]:
    """What submitit is told of each job.

    >>> from earwitness.harness.engines.settings import EngineSettings
    >>> asked = EngineSettings(time=30, memory=8, lines=("#SBATCH --constraint=a100", "module load cuda"))
    >>> found = parameters(asked)
    >>> found["time"], found["mem"], found["additional_parameters"], found["setup"][0]
    (30, '8GB', {'constraint': 'a100'}, 'module load cuda')
    """
    directives = [line.removeprefix(DIRECTIVE) for line in settings.lines if line.startswith(DIRECTIVE)]
    pairs = [line.partition("=") for line in directives]
    threads = " ".join(f"{name}={number}" for name, number in ONE_THREAD.items())
    found: dict[str, Any] = {
        "job_name": "earwitness",
        "ntasks_per_node": 1,
        "cpus_per_task": 1,
        "additional_parameters": {name: value if sign else True for name, sign, value in pairs},
        # Last, and before the interpreter starts: submitit imports numpy, which then counts its threads for good.
        "setup": [*(line for line in settings.lines if not line.startswith(DIRECTIVE)), f"export {threads}"],
        # None is the partition's own limit; left out it is five minutes.
        "time": settings.time,
    }
    optional = {
        "partition": settings.partition,
        "account": settings.account,
        "mem": None if settings.memory is None else f"{settings.memory}GB",
        "gpus_per_node": int(settings.gpus) or None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _states() -> dict[str, str] | None:
    """States of this user's jobs, of ended ones for as long as they are listed; None where nobody answers."""
    asked = ["squeue", "-h", "-r", "-t", "all", "-u", str(os.getuid()), "-o", "%i|%T"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    if told.returncode:
        return None
    return dict(line.strip().split("|", 1) for line in told.stdout.splitlines() if "|" in line)


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
    if settings.gpus % 1:
        raise EarwitnessError(f"--engine slurm: gpus is {settings.gpus:g}, and Slurm gives whole ones")
    workers = settings.workers or WORKERS
    engine = ApartEngine(workers, partial(SlurmPool, workers, settings))
    engine.name = "slurm"
    return engine
