import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from band_baselines import band_items, band_model
from earwitness.cli.submit import new
from earwitness.submission import load_explainer, read_submission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new(str(tmp_path / "my_watcher"), "band")
    return tmp_path / "my_watcher"


def test_the_band_skeleton_explains_as_it_is_written(folder: Path) -> None:
    submission = read_submission(folder)
    assert submission.id == "my_watcher"
    explainer = load_explainer(submission, "band")
    assert explainer.power == 1
    for has_frequency in (True, False):
        for item in band_items(has_frequency):
            found = explainer.explain(band_model(has_frequency), item)
            found.check(item)
            np.testing.assert_allclose(found.maps.sum(0), 1, atol=1e-5)
    assert "@" not in "".join(
        path.read_text().replace("@dataclass", "").replace("@torch", "") for path in folder.iterdir() if path.is_file()
    )


def test_the_band_skeleton_is_clean_under_ruff(folder: Path) -> None:
    rules = ["--isolated", "--line-length", "120"]
    commands = [
        ["ruff", "check", "--select", "E,F,D1,N,UP", *rules],
        ["ruff", "format", "--check", *rules],
    ]
    for command in commands:
        call = [sys.executable, "-m", *command, str(folder / "explainer.py")]
        result = subprocess.run(call, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout
