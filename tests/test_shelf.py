from pathlib import Path

import pytest

from earwitness import shelf
from earwitness.errors import EarwitnessError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", ["tasks", "submissions", "leaderboard"])
def test_the_checkout_wins_over_the_wheels_copy(kind: str) -> None:
    assert shelf.home(kind) == ROOT / kind


def test_a_wheel_finds_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "PACKAGE", tmp_path / "site-packages" / "earwitness")
    assert shelf.home("tasks") == tmp_path / "site-packages" / "earwitness" / "_tasks"


def test_every_card_on_the_shelf_is_valid_and_named_like_its_folder() -> None:
    assert {"micro_prompt", "musicgen_musiccaps"} <= set(shelf.task_ids())
    assert {"random", "uniform"} <= set(shelf.submission_ids())
    for name in shelf.task_ids():
        assert shelf.task(name).id == name
    for name in shelf.submission_ids():
        assert shelf.submission(name).id == name


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(EarwitnessError, match=r"no task is called 'micro_promt'.*did you mean 'micro_prompt'\?"):
        shelf.task("micro_promt")
    with pytest.raises(EarwitnessError, match=r"did you mean 'random'\?"):
        shelf.submission("randm")


def test_a_name_that_is_near_to_nothing_is_answered_with_all_of_them() -> None:
    with pytest.raises(EarwitnessError, match=r"submissions: .*random.*uniform"):
        shelf.submission("xyzzy")


def test_a_folder_with_a_card_is_as_good_as_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").symlink_to(ROOT / "submissions" / "random")
    monkeypatch.chdir(tmp_path)
    assert shelf.submission("mine").id == "random"
    assert shelf.submission(str(tmp_path / "mine")).hashes == shelf.submission("random").hashes


def test_a_folder_without_a_card_is_no_submission(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match=r"no folder there holds a submission\.toml"):
        shelf.submission(str(tmp_path))


def test_an_entry_point_adds_tasks_but_cannot_replace_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (ROOT / "tasks" / "musicgen_musiccaps" / "task.toml").read_text(encoding="utf-8")
    for name in ("musicgen_musiccaps", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.toml").write_text(card.replace('"musicgen_musiccaps"', f'"{name}"'), encoding="utf-8")

    class Package:
        __path__ = (str(tmp_path),)

    class Point:
        def load(self) -> type[Package]:
            return Package

    monkeypatch.setattr(shelf, "entry_points", lambda group: [Point()] if group == "earwitness.tasks" else [])
    assert "theirs" in shelf.task_ids()
    assert shelf.task("theirs").folder == tmp_path / "theirs"
    assert shelf.task("musicgen_musiccaps").folder == ROOT / "tasks" / "musicgen_musiccaps"
