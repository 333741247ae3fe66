"""Three pull requests from their first commit to the comment: the workflow's own steps, real boxes, a real task.

`make examples`, which CI runs; not among the tests that are run by default, since models are run for minutes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from harm import refuse_harm
from workflow import HERE, ROOT, checkout, copied, flow, opened, python_of, runner, steps

from earwitness.errors import DONE, ITEM_FAILED, NO
from earwitness.pull_requests.comment import comment
from earwitness.results import rows
from small_git import begun, commit, git

pytestmark = [pytest.mark.examples, pytest.mark.timeout(1800)]
EXAMPLES = Path(__file__).parent / "examples"
COUNT = "6"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This working tree as a repository with the branch main."""
    folder = tmp_path_factory.mktemp("origin")
    copied(ROOT, folder)
    return begun(folder, {})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the baselines, which need not be made anew for each example."""
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("good_example", DONE, "`good_example` explains 6 items of `micro_prompt`"),
        ("broken_example", NO, "`broken_example` is invalid"),
        ("hostile_example", ITEM_FAILED, "`hostile_example` fails"),
    ],
)
def test_an_example_from_its_pull_request_to_the_comment(
    origin: Path, shared: Path, tmp_path: Path, name: str, code: int, said: str
) -> None:
    git(origin, "switch", "--quiet", "--create", name, "main")
    shutil.copytree(EXAMPLES / name, origin / "submissions" / name, ignore=shutil.ignore_patterns("__pycache__"))
    commit(origin)
    git(origin, "switch", "--quiet", "mine")
    head = opened(origin, 7, name)
    place = checkout(tmp_path, origin)
    python_of(place, place / "benchmark")
    github = runner(tmp_path, 7, head)
    github.environment |= {"COUNT": COUNT, "EARWITNESS_EXAMPLE_SECRET": "s3cret"}
    (tmp_path / "temp" / "earwitness").mkdir()
    (tmp_path / "temp" / "earwitness" / "runs").symlink_to(shared)
    assert github.run(steps(), without=HERE) == (2 if code else 0), github.log
    page = (tmp_path / "temp" / "earwitness" / "report.md").read_text(encoding="utf-8")
    assert page.startswith(f"### earwitness submission: {said}\n"), github.log
    assert f"{head[:10]} adds submissions/{name} alone: " in page.replace("\\", "")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == page
    text = comment(tmp_path / "temp" / "earwitness" / "report.md", head, "failure" if code else "success")
    assert text.endswith(page)
    refuse_harm(page)
    print(text)
    (run,) = [*shared.glob(f"micro_prompt__{name}__*")] or [None]
    assert (run is None) == (code == NO)
    if run is not None:
        statuses = rows.read_run(run)["status"].to_pylist()
        assert ("ok" in statuses) == (code == DONE)
        print(json.dumps(json.loads((run / "run.json").read_text())["rows"]), statuses[:3])
    if name == "hostile_example":
        assert "of 12 attempts succeeded: none" in page
        assert git(place, "status", "--porcelain") == f"?? submissions/{name}/"
    assert flow("submission")["permissions"] == {"contents": "read"}
