"""A metric that a card names as `package.module:function` has its direction on boards of other processes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from earwitness.results.rows import RECIPE, Row, read_run, write_part
from plugged import earwitness
from synthetic import Plan, write_run

METRIC = '''
from earwitness.metrics import metric
from earwitness.metrics.responses.prompt import TokenWeights


@metric(reads=TokenWeights, direction="lower", range=(0, 1))
def oddest(weights):
    """Mean of a map."""
    return float(weights.mean())
'''
NAMED = {"metric": "oddly:oddest", "headline": True}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of a task that no registry knows, whose one metric lies in `site/oddly.py`."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "site").mkdir()
    (folder / "site" / "oddly.py").write_text(METRIC)
    plan = Plan(items=12)
    for submission in plan.skill:
        run = write_run(folder / "runs", plan, submission)
        rows = [Row(**row) for row in read_run(run).to_pylist() if row["metric"] == "word_ap@class"]
        write_part([replace(row, metric="oddest") for row in rows], run / "rows" / "0000.parquet")
        recipe = json.loads((run / RECIPE).read_text())
        recipe["task"]["card"] |= {"metrics": [NAMED], "main_metric": "oddest"}
        (run / RECIPE).write_text(json.dumps(recipe))
    return folder


def compared(made: Path, path: str) -> tuple[dict[str, str], str]:
    said = earwitness(path, made, "compare", "occlusion", "random", "--runs", "runs", "--json")
    assert said.returncode == 0, said.stderr
    (pair,) = json.loads(said.stdout)
    return {each["metric"]: each["direction"] for each in pair["differences"]}, said.stderr


def test_two_are_compared_by_the_module_that_the_run_names(made: Path) -> None:
    assert compared(made, str(made / "site")) == ({"oddest": "lower"}, "")


def test_the_board_ranks_by_it(made: Path) -> None:
    said = earwitness(str(made / "site"), made, "board", "--runs", "runs", "--out", "board", "--json")
    assert said.returncode == 0, said.stderr
    assert "oddly" not in said.stderr
    assert '"direction": "lower"' in said.stdout


def test_where_the_module_is_not_there_one_line_says_so(made: Path) -> None:
    found, said = compared(made, "")
    assert found == {"oddest": "none"}
    assert said.splitlines() == [
        "earwitness: plug-in 'oddly:oddest' of earwitness.metrics is a metric of rows here and cannot be read, so that "
        "they have no direction: 'oddly:oddest': no module is called oddly; is its package installed?"
    ]
