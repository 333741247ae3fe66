"""Skeletons of every kind and track: written, checked at once, and clean."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from earwitness import tracks
from earwitness.cli.submit import KINDS, PACKAGED, new
from earwitness.errors import EarwitnessError
from earwitness.harness.validation import Options, validate
from earwitness.harness.validation.submissions import micro_task
from earwitness.task import read_task
from in_process import InlineEngine

OF_A_TRACK = [(kind, track) for kind in ("dataset", "metric") for track in tracks.names()]


def checked(tmp_path: Path, kind: str, track: str, source: str = "") -> None:
    name = f"new_{kind}_{track}" if track else f"new_{kind}"
    new(str(tmp_path / name), track, kind)
    lines: list[str] = []
    report = validate(str(tmp_path / name), InlineEngine(), Options(source), lines.append)  # type: ignore[arg-type]
    assert report.findings == ()
    assert report.kind == kind
    assert lines[0].startswith(f"{kind} {report.name}: {len(report.checked)} checks")
    assert [line for line in lines if line.startswith("[")][-1].endswith(report.checked[-1])
    text = "".join(path.read_text() for path in (tmp_path / name).iterdir() if path.is_file())
    assert "@id@" not in text
    assert "@Class@" not in text


@pytest.mark.parametrize(("kind", "track"), [*OF_A_TRACK, ("judge", "")])
def test_a_skeleton_is_valid_as_it_is_written(tmp_path: Path, kind: str, track: str) -> None:
    checked(tmp_path, kind, track)


def deep(tmp_path: Path) -> Path:
    """A folder whose path is longer than a card's source may be, whichever way it is written."""
    folder = tmp_path
    while len(str(folder)) <= 250:
        folder /= "d"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("track", tracks.names())
@pytest.mark.parametrize("far", [False, True])
def test_a_tasks_skeleton_names_a_model_that_is_there(
    tmp_path: Path, track: str, far: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = (deep(tmp_path) if far else tmp_path) / "mine"
    new(str(folder), track, "task")
    task, micro = read_task(folder), micro_task(track)
    assert not Path(task.card.model.source).is_absolute()
    assert task.named(task.card.model.source) == micro.named(micro.card.model.source)
    assert (folder / "model").is_dir() is far
    assert ("with a copy of the model" in capsys.readouterr().out) is far


def test_a_model_under_a_deep_folder_is_named_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = deep(tmp_path) / "micro_band"
    shutil.copytree(micro_task("band").folder, near)
    monkeypatch.setattr("earwitness.harness.validation.submissions.micro_task", lambda track: read_task(near))
    new(str(near.parent / "mine"), "band", "task")
    assert read_task(near.parent / "mine").card.model.source == "../micro_band/model"


@pytest.mark.slow
@pytest.mark.parametrize("track", tracks.names())
def test_an_adapters_skeleton_is_valid_on_the_micro_model(tmp_path: Path, track: str) -> None:
    checked(tmp_path, "model", track, micro_task(track).id)


@pytest.mark.slow
@pytest.mark.parametrize("track", tracks.names())
@pytest.mark.parametrize("far", [False, True])
def test_a_tasks_skeleton_is_valid_on_the_micro_model(tmp_path: Path, track: str, far: bool) -> None:
    checked(deep(tmp_path) if far else tmp_path, "task", track)


def test_the_code_of_skeletons_is_clean_under_ruff(tmp_path: Path) -> None:
    for kind in PACKAGED:
        for track in tracks.names():
            new(str(tmp_path / f"{kind}_{track}"), track if kind != "judge" else "", kind)
    rules = ["--isolated", "--line-length", "120"]
    for check in (["check", "--select", "E,F,D1,N,UP", *rules], ["format", "--check", *rules]):
        command = [sys.executable, "-m", "ruff", *check, str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "judge"])
def test_what_is_for_one_track_asks_for_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(EarwitnessError, match=f"a {kind} is for one track: add --track .*prompt"):
        new(str(tmp_path / "mine"), "", kind)
    assert list(tmp_path.iterdir()) == []
