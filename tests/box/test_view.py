"""What a box can see, by paths."""

import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from earwitness import plugins, registry
from earwitness.box import Brief
from earwitness.box.view import View, _around, environment, view_of


@pytest.fixture
def brief() -> Brief:
    task = registry.task("micro_prompt")
    folder = registry.submission("random").folder
    return Brief("prompt", "musicgen", task.source("model"), "main", {}, str(folder), "cpu")


def sees(view: View, path: Path) -> bool:
    readable, _ = view.readable()
    return any(path.is_relative_to(each) for each in readable)


@pytest.mark.parametrize(
    "name",
    ["scoring/__init__.py", "judges/cnn.py", "worlds/scenes.py", "datasets/audiocaps.py", "authoring/__init__.py",
     "harness/run.py", "board/__init__.py", "cli/__init__.py"],
)  # fmt: skip
def test_what_scores_is_not_in_sight(brief: Brief, name: str) -> None:
    path = plugins.PACKAGE / name
    assert path.is_file()
    assert not sees(view_of(brief), path)


@pytest.mark.parametrize(
    "name", ["tracks/prompt.py", "models/musicgen.py", "explaining/spes.py", "box/child.py", "seeds.py"]
)
def test_what_a_submission_may_use_is(brief: Brief, name: str) -> None:
    assert sees(view_of(brief), plugins.PACKAGE / name)


def test_of_a_task_the_model_alone_is_in_sight(brief: Brief) -> None:
    view, task = view_of(brief), registry.task("micro_prompt")
    assert sees(view, task.folder / "model" / "model.safetensors")
    for name in ("truth", "task.toml", "README.md"):
        assert not sees(view, task.folder / name)


def test_rivals_and_copies_are_not(brief: Brief) -> None:
    view = view_of(brief)
    assert sees(view, registry.submission("random").folder / "explainer.py")
    assert not sees(view, registry.submission("occlusion").folder / "explainer.py")
    assert not sees(view, Path(sysconfig.get_path("purelib"), "earwitness", "_tasks"))


def test_of_a_model_of_the_hub_its_own_cache_alone_is(
    brief: Brief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("models--facebook--musicgen-small", "models--judge--passt", "datasets--google--MusicCaps"):
        (tmp_path / name).mkdir()
    view = view_of(replace(brief, source="facebook/musicgen-small"))
    assert sees(view, tmp_path / "models--facebook--musicgen-small")
    assert not sees(view, tmp_path / "models--judge--passt")
    assert not sees(view, tmp_path / "datasets--google--MusicCaps")


def test_packages_that_are_named_are_in_sight_wherever_they_lie(
    brief: Brief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.py").write_text("")
    (tmp_path / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    view = view_of(replace(brief, adapter="elsewhere:model"))
    assert sees(view, tmp_path / "elsewhere.py")
    assert not sees(view, tmp_path / "other.py")
    assert tmp_path in view.python_path


def test_a_folder_that_is_no_package_is_not_in_sight_because_a_card_names_it(
    brief: Brief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept" / "truth").mkdir(parents=True)
    (tmp_path / "kept" / "truth" / "answers.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "sly"
    folder.mkdir()
    (folder / "submission.toml").write_text(
        'id = "sly"\nversion = 1\ntrack = "prompt"\ntitle = "Sly"\nauthors = ["A"]\nlicence = "MIT"\n'
        'kind = "entrant"\nexplainer = "kept.truth.answers:Sly"\n'
    )
    view = view_of(replace(brief, submission=str(folder)))
    assert sees(view, folder / "submission.toml")
    assert not sees(view, tmp_path / "kept" / "truth" / "answers.py")
    assert tmp_path not in view.python_path


def test_a_link_inside_leads_to_nothing_hidden(tmp_path: Path) -> None:
    (tmp_path / "lib" / "hidden").mkdir(parents=True)
    (tmp_path / "lib" / "seen").mkdir()
    (tmp_path / "lib64").symlink_to("lib")
    readable: list[Path] = []
    listable: list[Path] = []
    _around(tmp_path, (tmp_path / "lib" / "hidden",), readable, listable)
    assert readable == [tmp_path / "lib" / "seen"]
    assert listable == [tmp_path, tmp_path / "lib"]


def test_the_interpreter_is_in_sight(brief: Brief) -> None:
    view = view_of(brief)
    assert sees(view, Path(sys.prefix, "bin"))
    assert sees(view, Path(sysconfig.get_path("purelib"), "numpy"))
    assert sees(view, Path(sysconfig.get_path("stdlib"), "json"))


def test_no_variable_of_the_users_goes_along(brief: Brief, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("LD_PRELOAD", "mine.so")
    found = environment(view_of(brief), "/tmp", "")
    assert not {"AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"} & set(found)
    assert (found["HOME"], found["OMP_NUM_THREADS"], found["PYTHONSAFEPATH"]) == ("/tmp", "1", "1")
