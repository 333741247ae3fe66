import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from earwitness.harness import locks

HOLDER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from earwitness.harness.locks import locked
out = Path(sys.argv[1])
run = SimpleNamespace(name=sys.argv[2], out=out, folder=out / sys.argv[2])
with locked([run], print):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def holder(run: Any, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(run.out), run.name, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_waits_and_says_so(make_run: Callable[..., Any]) -> None:
    run, said = make_run(), []
    process = holder(run, 1.0)
    with locks.locked([run], said.append):
        assert process.wait(timeout=5) == 0
    assert said == [f"another process is at work on {run.name}; waiting for it to end"]


def test_a_killed_process_holds_nothing(make_run: Callable[..., Any]) -> None:
    run, said = make_run(), []
    process = holder(run, 60.0)
    process.kill()
    process.wait()
    begun = time.monotonic()
    with locks.locked([run], said.append):
        pass
    assert not said
    assert time.monotonic() - begun < 5


def test_nothing_is_left_of_a_lock(make_run: Callable[..., Any]) -> None:
    first, second = make_run("mine"), make_run("other")
    with locks.locked([second, first, first], print):
        assert sorted(os.listdir(first.out / locks.LOCKS)) == sorted(f"{run.name}.lock" for run in (first, second))
    assert not (first.out / locks.LOCKS).exists()
