"""The process that drives Ray: jobs come as lines of JSON, and what became of each goes back as one.

It ends when nobody writes to it any more: what it started is cancelled, a cluster that there was is left as it is.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_LOG_TO_DRIVER_EVENT_LEVEL": "FATAL",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # What Ray starts here is what the user asked for: no more patient than the command itself.
    "RAY_worker_niceness": "0",
    # On Linux, too: else a Ray that is started here listens on the network's address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
HERE = "127.0.0.1"
STORE = 80 << 20
"""Bytes of the store of objects of a Ray that is started here: what is exchanged are texts."""
SILENT = 20.0
"""Seconds in which a cluster answers that is there."""
JOIN = 60.0
"""Seconds in which a cluster that there is takes a command on: Ray itself asks for ever."""
ROOM = 600.0
"""Seconds in which a cluster that grows on demand has a node that is large enough."""
GIB = 1 << 30
UNITS = {"CPU": ("CPU", 1), "GPU": ("GPU", 1), "memory": ("GiB of memory", GIB)}
"""Of Ray's resources, in words, and their size."""
STARTS = 3
"""Times that a Ray is started here before it is given up."""


def main(asked: dict[str, Any]) -> None:
    """Drive a cluster until nobody writes any more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What Ray prints is no message.
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            out.write(json.dumps(message) + "\n")
            out.flush()

    os.environ.update({**QUIET, **os.environ})
    heard, joined = _Heard(), threading.Event()
    if asked["address"]:
        threading.Thread(target=_give_up, args=(heard, joined, say), daemon=True).start()
    try:
        ray = _joined(asked)
    except BaseException as error:
        say({"gone": f"{type(error).__name__}: {error}"})
        return
    joined.set()
    if lacking := _lacking(ray, asked, heard):
        say({"refused": lacking})
        ray.shutdown()
        return
    watch = threading.Thread(target=_watch, args=(ray, say), daemon=True)
    watch.start()
    refs: dict[Any, int] = {}
    try:
        _serve(ray, asked, heard, refs, say)
    finally:
        for ref in refs:
            ray.cancel(ref, force=True)
        ray.shutdown()


class _Heard:
    """Messages as they come; `over` once there are no more."""

    def __init__(self) -> None:
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self.over = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self.messages.put(json.loads(line))
        self.over.set()


def _give_up(heard: _Heard, joined: threading.Event, say: Any) -> None:
    """End this process, which has started nothing, where a cluster does not take it on, or nobody writes any more."""
    end = time.monotonic() + JOIN
    while not joined.wait(0.2):
        if time.monotonic() > end:
            say({"gone": f"it has not answered for {JOIN:.0f} s"})
        if time.monotonic() > end or heard.over.is_set():
            os._exit(1)


def _joined(asked: dict[str, Any]) -> Any:
    """Ray, connected; raises what Ray raises where it is not to be had."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if asked["address"]:
        ray.init(address=asked["address"], **quiet)
    else:
        gpus: dict[str, Any] = {"num_gpus": -(-asked["workers"] * asked["gpus"] // 1)} if asked["gpus"] else {}
        quiet |= {"num_cpus": asked["workers"], "include_dashboard": False, "object_store_memory": STORE}
        # Where no address is given Ray joins another that runs here, whosever that is.
        _started(ray, {**gpus, **quiet, "address": "local", "_node_ip_address": HERE})
    return ray


def _started(ray: Any, options: dict[str, Any]) -> None:
    """Start a Ray here; a busy machine takes longer than the half minute that Ray waits, and is asked again."""
    for left in reversed(range(STARTS)):
        try:
            ray.init(**options)
        except Exception:
            ray.shutdown()
            if not left:
                raise
        else:
            return


def _lacking(ray: Any, asked: dict[str, Any], heard: _Heard) -> str:
    """What a worker asks for that no node has, empty where one has it: Ray would wait for such a node for ever."""
    needs = {name: value for name, value in _needs(asked).items() if value}
    end = time.monotonic() + (ROOM if asked["address"] else 0)
    while True:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if heard.over.is_set() or any(all(node.get(name, 0) >= needs[name] for name in needs) for node in nodes):
            return ""
        if time.monotonic() >= end:
            return ", ".join(f"{needs[name] / size:g} {unit}" for name, (unit, size) in UNITS.items() if name in needs)
        time.sleep(2)


def _needs(asked: dict[str, Any]) -> dict[str, float]:
    """What a task asks for, by Ray's names of resources."""
    return {"CPU": 1, "GPU": asked["gpus"], "memory": (asked["memory"] or 0) * GIB}


def _serve(ray: Any, asked: dict[str, Any], heard: _Heard, refs: dict[Any, int], say: Any) -> None:
    from earwitness.harness.engines.at_work import at_work

    needs = _needs(asked)
    wanted = {"num_cpus": needs["CPU"], "num_gpus": needs["GPU"], "memory": needs["memory"] or None}
    remote = ray.remote(**wanted, max_retries=0, retry_exceptions=False)(at_work())
    waiting: list[dict[str, Any]] = []
    while not heard.over.is_set():
        while not heard.messages.empty():
            waiting.append(heard.messages.get())
        while waiting and len(refs) < asked["workers"]:
            message = waiting.pop(0)
            refs[remote.remote(message["job"])] = message["number"]
        if not refs:
            time.sleep(0.05)
            continue
        for ref in ray.wait(list(refs), timeout=0.2)[0]:
            say({"number": refs.pop(ref), **_answer(ray, ref)})


def _answer(ray: Any, ref: Any) -> dict[str, Any]:
    from ray import exceptions

    try:
        found: dict[str, Any] = ray.get(ref)
    except exceptions.RayTaskError as error:
        return {"failed": f"a Ray worker: {' '.join(str(error.cause or error).split())[-200:]}"}
    except exceptions.RayError as error:
        return {"lost": f"a Ray worker was lost ({type(error).__name__})"}
    return found


def _watch(ray: Any, say: Any) -> None:
    """Say that the cluster is gone where it has not answered for a while."""
    answered = time.monotonic()

    def ask() -> None:
        nonlocal answered
        while True:
            if any(node["Alive"] for node in ray.nodes()):
                answered = time.monotonic()
            time.sleep(2)

    threading.Thread(target=ask, daemon=True).start()
    while time.monotonic() - answered < SILENT:
        time.sleep(1)
    say({"gone": f"it has not answered for {SILENT:.0f} s"})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
