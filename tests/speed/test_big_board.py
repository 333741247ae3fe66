"""How long a board of many entrants takes, and how much memory: printed, since both are the machine's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import synthetic
from earwitness.task import read_task
from synthetic import Plan, write_run, write_task

ENTRANTS, ITEMS = 286, 100
MASKS = ("top10", "top20", "top30", "top40", "top50", "soft")
BUILD = """
import json, resource, sys, time
from pathlib import Path
from earwitness import board, registry
root, home = Path(sys.argv[1]), registry.home
registry.home = lambda kind: root / "tasks" if kind == "tasks" else home(kind)
wall, cpu = time.perf_counter(), time.process_time()
path = board.build(root / "runs", root / sys.argv[2])
found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "name": path.name}
found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
connection = board.connect(path)
found["rows"] = board.records(connection, "SELECT count(*) AS n FROM rows")[0]["n"]
for name in ("results", "item_values", "contrasts"):
    times = []
    columns = {"results": "", "item_values": "AND item = 'test-0000'", "contrasts": "AND control = 'random'"}
    for _ in range(9):
        start = time.perf_counter()
        board.records(connection, f"SELECT * FROM {name} WHERE task_key = 'planted' {columns[name]}")
        times.append(time.perf_counter() - start)
    found[name] = 1000 * sorted(times)[4]
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_board_of_a_million_rows_and_that_threads_change_none_of_its_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skills = np.random.default_rng(0).uniform(0, 0.9, ENTRANTS - 2)
    skill = {"random": 0.0, "uniform": 0.0} | {f"entrant_{n:03d}": float(each) for n, each in enumerate(skills)}
    plan = Plan(skill=skill, items=ITEMS, masks=MASKS, changes=True)
    monkeypatch.setattr(synthetic, "write_maps", lambda *given: None)
    (tmp_path / "tasks").mkdir()
    plan = replace(plan, task_hash=read_task(write_task(tmp_path / "tasks", plan)).hash)
    for name in skill:
        write_run(tmp_path / "runs", plan, name)
    found = [build(tmp_path, f"board-{threads}", threads) for threads in (1, 2)]
    for threads, each in zip((1, 2), found, strict=True):
        print(
            f"{each['rows']:,} rows, {threads} threads allowed: {each['wall']:.1f} s, {each['cpu']:.1f} CPU s, "
            f"{each['peak']:.2f} GB; queries of a page (median of 9): results {each['results']:.0f} ms, values of an "
            f"item {each['item_values']:.0f} ms, contrasts with a control {each['contrasts']:.0f} ms"
        )
    assert found[0]["rows"] == ENTRANTS * ITEMS * len(synthetic.metric_cards(plan))
    assert found[0]["name"] == found[1]["name"], "the name is a hash of all tables"


def build(root: Path, board: str, threads: int) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", BUILD, str(root), board]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=900)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
