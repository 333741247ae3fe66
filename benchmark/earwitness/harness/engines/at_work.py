"""What a worker runs of a job: sent as code, so that a worker without the package, or with another one, can say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = '''
def at_work(job):
    """Look for the package, then do a job; answers with what became of it, in JSON types."""
    import importlib, os, signal, socket, sys, threading, traceback

    where = f"worker {os.environ.get('SLURMD_NODENAME') or socket.gethostname()}"
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    try:
        version = importlib.import_module("earwitness.version").VERSION
        errors = importlib.import_module("earwitness.errors")
    except ImportError:
        return {"failed": f"{where} has no earwitness in {sys.executable}: install version {job['version']} there"}
    if version != job["version"]:
        return {"failed": f"{where} has earwitness {version}, and the run is made with {job['version']}: install that"}
    if threading.current_thread() is threading.main_thread():
        # Who is ended gives no answer: what a box says that is ended beside it is no failure of its items.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
        # Of a scheduler, a while before that: nothing is left to be saved, and a job goes on as long as it may.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        return {"done": getattr(importlib.import_module(job["module"]), job["function"])(job["text"])}
    except errors.EarwitnessError as error:
        return {"failed": f"{error}"}
    except Exception as error:
        try:
            with open(job["log"], "a", encoding="utf-8", errors="backslashreplace") as log:
                traceback.print_exc(file=log)
        except OSError:
            pass
        return {"failed": f"{where}: {errors.one_line(error)} (see {job['log']})"}
'''


def at_work() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function, of no module: it is pickled as code."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(SOURCE, names)
    found: Callable[[dict[str, Any]], dict[str, Any]] = names["at_work"]
    return found
