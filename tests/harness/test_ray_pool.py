"""The process that drives Ray, of which scripts play the part: what it says, and how it ends."""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness.engines import ray, ray_bridge
from earwitness.harness.engines.ray import ClusterGoneError, RayPool
from earwitness.harness.engines.settings import EngineSettings

SAYS = "import json, sys\nsay = lambda **message: print(json.dumps(message), flush=True)\n"
ECHO = f"{SAYS}for line in map(json.loads, sys.stdin):\n    say(number=line['number'], done=line['job']['text'])"


@pytest.fixture
def pool_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens a pool whose bridge runs some code."""
    monkeypatch.setattr(ray, "BRIDGE", "bridge_of_tests")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    def opened(code: str, address: str | None = None) -> RayPool:
        (tmp_path / "bridge_of_tests.py").write_text(code)
        (tmp_path / "log").write_text("InvalidAuthToken, of another command\n")
        return RayPool(2, EngineSettings(address=address), tmp_path / "log")

    return opened


def ended(pool: RayPool, count: int = 1) -> dict[int, Any]:
    found: dict[int, Any] = {}
    end = time.monotonic() + 30
    while len(found) < count and time.monotonic() < end:
        found |= pool.ended()
    return found


def test_what_became_of_jobs_comes_with_their_numbers(pool_of: Any) -> None:
    pool = pool_of(ECHO)
    pool.send({3: {"text": "a"}, 4: {"text": "b"}})
    assert ended(pool, 2) == {3: {"done": "a"}, 4: {"done": "b"}}
    pool.close()
    assert pool._process.returncode == 0


@pytest.mark.parametrize(
    ("code", "address", "says"),
    [
        (f"{SAYS}say(gone='ConnectionError: a\\nb')", "10.0.0.1:6379",
         "the Ray cluster at 10.0.0.1:6379 is gone or cannot be reached: ConnectionError: a b (see "),
        (f"{SAYS}print('Unauthenticated: InvalidAuthToken', file=sys.stderr, flush=True)\nsay(gone='Error: no')", "a:1",
         "the Ray cluster at a:1 is gone or cannot be reached: it takes no such token; set RAY_AUTH_MODE=token, "),
        ("raise SystemExit(1)", None, "the Ray that was started here is gone or cannot be reached (see "),
    ],
)  # fmt: skip
def test_a_cluster_that_is_gone_is_one_line(pool_of: Any, code: str, address: str | None, says: str) -> None:
    pool = pool_of(code, address)
    pool.send({0: {"text": "a"}})
    with pytest.raises(ClusterGoneError) as caught:
        ended(pool)
    assert str(caught.value).startswith(says)
    assert str(caught.value).endswith("; run the same command to resume, on another engine if need be")
    assert caught.value.exit_code == 4
    pool.close()


def test_a_bridge_that_does_not_let_go_is_ended(pool_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "PATIENCE", 0.5)
    pool = pool_of("import time\ntime.sleep(60)")
    pool.close()
    assert pool._process.returncode == -9


def test_what_a_bridge_left_behind_is_ended_with_it(pool_of: Any) -> None:
    left = "subprocess.Popen(['sleep', '60']).pid"
    pool = pool_of(f"import subprocess\n{SAYS}say(number=0, done={left})\nsys.stdin.read()")
    pid = ended(pool)[0]["done"]
    pool.close()
    assert pool._process.returncode == 0
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").is_file() and time.monotonic() < end:
        # Where nobody reaps orphans it stays as a name without a command.
        if not Path(f"/proc/{pid}/cmdline").read_bytes():
            break
        time.sleep(0.05)
    assert time.monotonic() < end


class Cluster:
    """A Ray that answers, or does not."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def get(self, ref: Any) -> Any:
        if self.error is not None:
            raise self.error
        return {"done": "a"}


@pytest.mark.parametrize(
    ("raised", "found"),
    [
        (None, {"done": "a"}),
        ("RayTaskError", {"failed": "a Ray worker: no such thing"}),
        ("RayError", {"lost": "a Ray worker was lost (RayError)"}),
    ],
)
def test_a_task_that_raises_has_failed_and_one_whose_worker_died_is_lost(
    raised: str | None, found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = type("RayError", (Exception,), {})
    failed = type("RayTaskError", (lost,), {"cause": ValueError("no\nsuch thing")})
    kinds: Any = SimpleNamespace(RayError=lost, RayTaskError=failed)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(exceptions=kinds))
    error = None if raised is None else getattr(kinds, raised)()
    assert ray_bridge._answer(Cluster(error), None) == found


def test_a_ray_that_is_not_to_be_started_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[dict[str, Any]] = []

    def refuse(**options: Any) -> None:
        tries.append(options)
        if len(tries) < 3:
            raise TimeoutError

    shut: list[None] = []
    here = SimpleNamespace(init=refuse, shutdown=lambda: shut.append(None))
    ray_bridge._started(here, {"num_cpus": 2})
    assert (len(tries), len(shut)) == (3, 2)
    tries.clear()
    monkeypatch.setattr(ray_bridge, "STARTS", 2)
    with pytest.raises(TimeoutError):
        ray_bridge._started(here, {"num_cpus": 2})


def test_a_ray_of_its_own_is_started_whatever_else_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    here = SimpleNamespace(init=lambda **options: asked.append(options))
    monkeypatch.setitem(sys.modules, "ray", here)
    ray_bridge._joined({"address": None, "workers": 3, "gpus": 0.5})
    ray_bridge._joined({"address": "a:1", "workers": 3, "gpus": 0})
    assert [each["address"] for each in asked] == ["local", "a:1"]
    assert (asked[0]["num_cpus"], asked[0]["num_gpus"], asked[0]["_node_ip_address"]) == (3, 2, "127.0.0.1")
    assert not {"num_cpus", "num_gpus"} & asked[1].keys()


def test_a_worker_that_no_node_has_room_for_is_one_line(pool_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"Alive": True, "Resources": {"CPU": 2, "memory": 3 << 30}}, {"Alive": False, "Resources": {"GPU": 1}}]
    here, heard = SimpleNamespace(nodes=lambda: nodes), SimpleNamespace(over=SimpleNamespace(is_set=lambda: False))
    asked = {"address": None, "gpus": 0, "memory": 3}
    assert ray_bridge._lacking(here, asked, heard) == ""  # type: ignore[arg-type]
    lacking = ray_bridge._lacking(here, {**asked, "gpus": 0.5}, heard)  # type: ignore[arg-type]
    assert lacking == "1 CPU, 0.5 GPU, 3 GiB of memory"
    pool = pool_of(f"{SAYS}say(refused='1 CPU, 0.5 GPU')")
    with pytest.raises(EarwitnessError, match=r"has no node with 1 CPU, 0\.5 GPU, which a worker is to have; ask for"):
        ended(pool)
    pool.close()
