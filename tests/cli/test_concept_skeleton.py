import subprocess
import sys
from pathlib import Path

import pytest

from concept_baselines import concept_world
from concept_fakes import FakeConceptModel
from earwitness.cli.submit import new
from earwitness.submission import load_explainer, read_submission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new(str(tmp_path / "my_dictionary"), "concept")
    return tmp_path / "my_dictionary"


def test_the_concept_skeleton_explains_as_it_is_written(folder: Path) -> None:
    submission = read_submission(folder)
    assert submission.id == "my_dictionary"
    explainer = load_explainer(submission, "concept")
    assert explainer.features == 0
    item = concept_world()[1]
    found = explainer.explain(FakeConceptModel(), item)
    found.check(item)
    assert found.fitted[0].features == 8 * 16
    assert "@" not in "".join(
        path.read_text().replace("@dataclass", "").replace("@torch", "") for path in folder.iterdir() if path.is_file()
    )


def test_the_concept_skeleton_is_clean_under_ruff(folder: Path) -> None:
    rules = ["--isolated", "--line-length", "120"]
    commands = [
        ["ruff", "check", "--select", "E,F,D1,N,UP", *rules],
        ["ruff", "format", "--check", *rules],
    ]
    for command in commands:
        call = [sys.executable, "-m", *command, str(folder / "explainer.py")]
        result = subprocess.run(call, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout
