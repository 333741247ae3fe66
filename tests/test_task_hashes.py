"""A task's hash is its identity: where it changes, the version does, and the golden list says both."""

import shutil
import tomllib
from pathlib import Path

import pytest

from earwitness import shelf
from earwitness.task import read_task

GOLDEN = tomllib.loads((Path(__file__).parent / "task_hashes.toml").read_text(encoding="utf-8"))


def test_every_task_is_on_the_golden_list() -> None:
    assert sorted(GOLDEN) == shelf.task_ids()


@pytest.mark.parametrize("task_id", sorted(GOLDEN))
def test_a_task_that_changes_changes_its_version(task_id: str) -> None:
    task = shelf.task(task_id)
    golden = GOLDEN[task_id]
    hint = f"raise version in {task_id}/task.toml, then write version and hash into tests/task_hashes.toml"
    assert (task.card.version, task.hash) == (golden["version"], golden["hash"]), hint


@pytest.mark.parametrize("change", ["card", "data"])
def test_a_planted_change_changes_the_hash(tmp_path: Path, change: str) -> None:
    original = shelf.task("musicgen_musiccaps")
    folder = shutil.copytree(original.folder, tmp_path / "task")
    assert read_task(folder).hash == original.hash
    if change == "card":
        card = folder / "task.toml"
        card.write_text(card.read_text(encoding="utf-8").replace("items = 1000", "items = 999"), encoding="utf-8")
    else:
        (folder / "truth").mkdir()
        (folder / "truth" / "x.json").write_text("{}", encoding="utf-8")
    assert read_task(folder).hash != original.hash
