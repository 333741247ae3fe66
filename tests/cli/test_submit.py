import subprocess
import sys
from pathlib import Path

import pytest

from earwitness.cli.submit import new
from earwitness.errors import EarwitnessError
from earwitness.submission import load_explainer, read_submission
from earwitness.tracks.prompt import PromptExplainer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my_explainer"


def test_a_skeleton_is_a_submission_that_loads(folder: Path) -> None:
    new(str(folder), "prompt")
    submission = read_submission(folder)
    assert submission.id == "my_explainer"
    explainer = load_explainer(submission, "prompt")
    assert isinstance(explainer, PromptExplainer)
    assert vars(explainer)["removal"] == "scale"
    assert "@" not in "".join(
        path.read_text().replace("@dataclass", "").replace("@torch", "") for path in folder.iterdir() if path.is_file()
    )


def test_a_skeleton_is_clean_under_ruff(folder: Path) -> None:
    new(str(folder), "prompt")
    rules = ["--isolated", "--line-length", "120"]
    for check in (["check", "--select", "E,F,D1,N,UP", *rules], ["format", "--check", *rules]):
        command = [sys.executable, "-m", "ruff", *check, str(folder / "explainer.py")]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", ["my-explainer", "2nd", "Mine", "é", "class", "x" * 101])
def test_a_name_that_is_no_identifier_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EarwitnessError, match="ends in no id of a submission"):
        new(str(tmp_path / name), "prompt")


def test_an_existing_folder_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    with pytest.raises(EarwitnessError, match="exists"):
        new(str(folder), "prompt")
    assert list(folder.iterdir()) == []


def test_an_unknown_track_names_the_tracks(folder: Path) -> None:
    with pytest.raises(EarwitnessError, match=r"tracks: .*prompt"):
        new(str(folder), "promt")
    assert not folder.exists()
