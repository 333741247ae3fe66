"""The Ray engine: tasks of a cluster that there is, or of one that is started here for as long as the command runs.

Ray lives in a process of its own, `ray_bridge`: a driver whose cluster is gone ends its process, or waits for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from earwitness.errors import ITEM_FAILED, EarwitnessError, short
from earwitness.extras import not_installed
from earwitness.harness.engines.apart import ApartEngine, is_installed
from earwitness.harness.engines.local import WORKERS

if TYPE_CHECKING:
    from pathlib import Path

    from earwitness.harness.engines.settings import EngineSettings

POLL = 0.2
"""Seconds between two looks."""
PATIENCE = 15.0
"""Seconds in which the bridge has let go of what it started."""
UNKNOWN_TOKEN = "InvalidAuthToken"
"""What Ray writes, in its log alone, where a cluster wants another token, or one at all."""
BRIDGE = "earwitness.harness.engines.ray_bridge"


class ClusterGoneError(EarwitnessError):
    """The cluster cannot be reached, or not any more."""

    exit_code = ITEM_FAILED


class RayPool:
    """The process that drives Ray, and its messages."""

    def __init__(self, workers: int, settings: EngineSettings, log: Path) -> None:
        """Start the process; it says itself, as what ended, where there is no cluster."""
        asked = {"workers": workers, **settings.model_dump(include={"address", "memory", "gpus"})}
        self._place = f"the Ray cluster at {settings.address}" if settings.address else "the Ray that was started here"
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._log, self._before = log, log.stat().st_size
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", BRIDGE, json.dumps(asked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, start_new_session=True, text=True, encoding="utf-8",
            )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, jobs: dict[int, dict[str, Any]]) -> None:
        """Begin jobs of these numbers; that nobody reads any more is seen by `ended`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            for number, job in jobs.items():
                self._process.stdin.write(json.dumps({"number": number, "job": job}) + "\n")
            self._process.stdin.flush()

    def ended(self) -> dict[int, dict[str, Any]]:
        """What became of the jobs that ended; raises ClusterGoneError where the cluster is gone, EarwitnessError where
        it has no room for a worker.
        """
        try:
            said = self._said.get(timeout=POLL)
        except queue.Empty:
            return {}
        if said is not None and "refused" in said:
            raise EarwitnessError(
                f"{self._place} has no node with {said['refused']}, which a worker is to have; ask for less by "
                "--engine-option"
            )
        if said is None or "gone" in said:
            why = "" if said is None else f": {short(said['gone'])}"
            if UNKNOWN_TOKEN in self._written():
                why = ": it takes no such token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to a file with one"
            raise ClusterGoneError(
                f"{self._place} is gone or cannot be reached{why} (see {self._log}); run the same command to resume, "
                "on another engine if need be"
            )
        return {said.pop("number"): said}

    def close(self) -> None:
        """Have the bridge cancel what is at work and let go; what is left of it and of what it started is killed."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        # Its group is its own: a Ray whose head was lost leaves agents behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _written(self) -> str:
        """What was written to the log since the process began."""
        with contextlib.suppress(OSError), self._log.open("rb") as file:
            file.seek(self._before)
            return file.read().decode(errors="replace")
        return ""

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._said.put(json.loads(line))
        self._said.put(None)


def open_engine(settings: EngineSettings) -> ApartEngine:
    """The engine; raises EarwitnessError where ray is not installed."""
    if not is_installed("ray"):
        raise not_installed("ray", "ray")
    workers = settings.workers or WORKERS
    engine = ApartEngine(workers, partial(RayPool, workers, settings))
    engine.name = "ray"
    return engine
