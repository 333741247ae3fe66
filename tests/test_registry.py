from pathlib import Path

import pytest

from earwitness import plugins, registry
from earwitness.errors import EarwitnessError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", ["tasks", "submissions", "leaderboard"])
def test_the_checkout_wins_over_the_wheels_copy(kind: str) -> None:
    assert registry.home(kind) == ROOT / kind


def test_a_wheel_finds_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PACKAGE", tmp_path / "site-packages" / "earwitness")
    assert registry.home("tasks") == tmp_path / "site-packages" / "earwitness" / "_tasks"


def test_every_card_registered_is_valid_and_named_like_its_folder() -> None:
    assert {"micro_prompt", "musicgen_musiccaps"} <= set(registry.task_ids())
    assert {"random", "uniform"} <= set(registry.submission_ids())
    for name in registry.task_ids():
        assert registry.task(name).id == name
    for name in registry.submission_ids():
        assert registry.submission(name).id == name


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(EarwitnessError, match=r"no task is called 'micro_promt'.*did you mean 'micro_prompt'\?"):
        registry.task("micro_promt")
    with pytest.raises(EarwitnessError, match=r"did you mean 'random'\?"):
        registry.submission("randm")


def test_a_name_that_is_near_to_nothing_is_answered_with_a_few_and_the_verb_that_lists_all() -> None:
    ids = registry.submission_ids()
    with pytest.raises(EarwitnessError) as caught:
        registry.submission("xyzzy")
    shown = ", ".join(sorted(ids)[: registry.SHOWN])
    left = len(ids) - registry.SHOWN
    assert str(caught.value).endswith(f"; submissions: {shown}, and {left} more, which `earwitness submissions` lists")


def test_a_folder_with_a_card_is_as_good_as_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").symlink_to(ROOT / "submissions" / "random")
    monkeypatch.chdir(tmp_path)
    assert registry.submission("mine").id == "random"
    assert registry.submission(str(tmp_path / "mine")).hashes == registry.submission("random").hashes


def test_a_folder_without_a_card_is_no_submission(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match=r"no folder there holds a submission\.toml"):
        registry.submission(str(tmp_path))


def test_an_entry_point_adds_tasks_but_cannot_replace_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (ROOT / "tasks" / "musicgen_musiccaps" / "task.toml").read_text(encoding="utf-8")
    for name in ("musicgen_musiccaps", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.toml").write_text(card.replace('"musicgen_musiccaps"', f'"{name}"'), encoding="utf-8")

    class Package:
        __path__ = (str(tmp_path),)

    monkeypatch.setattr(plugins, "loaded", lambda kind: {"theirs": Package} if kind == "tasks" else {})
    assert "theirs" in registry.task_ids()
    assert registry.task("theirs").folder == tmp_path / "theirs"
    assert registry.task("musicgen_musiccaps").folder == ROOT / "tasks" / "musicgen_musiccaps"
    assert any("has the id of" in fault for fault in plugins.faults())


def test_the_former_name_goes_on_working_and_says_the_new_one() -> None:
    from earwitness import shelf

    with pytest.warns(DeprecationWarning, match=r"earwitness\.shelf is earwitness\.registry now"):
        assert shelf.task("micro_prompt").id == "micro_prompt"
