import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earwitness.cli.submit import new
from earwitness.submission import load_explainer, read_submission
from speech_baselines import cut, fake_items, fake_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new(str(tmp_path / "my_listener"), "speech")
    return tmp_path / "my_listener"


def test_the_speech_skeleton_explains_as_it_is_written(folder: Path) -> None:
    submission = read_submission(folder)
    assert submission.id == "my_listener"
    explainer = load_explainer(submission, "speech")
    assert explainer.patch == 8
    for item in (*fake_items(), cut(fake_items()[0], tokens=1, frames=1)):
        explainer.explain(fake_model(), item).check(item)
    found = explainer.explain(fake_model(), fake_items()[0])
    assert (np.ptp(found.spectrogram, axis=(1, 2)) == 1).all()
    assert "@" not in "".join(
        path.read_text().replace("@dataclass", "").replace("@torch", "") for path in folder.iterdir() if path.is_file()
    )


def test_the_speech_skeleton_is_clean_under_ruff(folder: Path) -> None:
    rules = ["--isolated", "--line-length", "120"]
    commands = [
        ["ruff", "check", "--select", "E,F,D1,N,UP", *rules],
        ["ruff", "format", "--check", *rules],
    ]
    for command in commands:
        call = [sys.executable, "-m", *command, str(folder / "explainer.py")]
        result = subprocess.run(call, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout
