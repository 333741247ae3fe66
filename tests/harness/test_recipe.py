import errno
import json
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness import recipe


def test_versions_are_read_without_importing_anything_heavy() -> None:
    found = recipe.versions()
    assert {"earwitness", "python", "torch", "transformers", "numpy"} <= set(found)


def test_a_recipe_comes_back_and_its_run_with_it(make_run: Any) -> None:
    run = make_run(items=3, seed=2)
    recipe.write(run.folder, recipe.describe(run, ["run"]))
    again = recipe.reopen(run.folder)
    assert (again.name, again.arguments, again.task_hash) == (run.name, run.arguments, run.task_hash)
    assert recipe.read(run.folder)["seeds"] == {
        "generation": [2],
        "explainer": [2],
        "fresh": None,
        "seed_key": run.task.seed_key,
    }


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"run": 1}'])
def test_a_broken_recipe_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(EarwitnessError, match="delete the folder and run again"):
        recipe.read(tmp_path)


def test_a_full_disk_leaves_the_recipe_that_was_there(make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    recipe.write(run.folder, {"state": "running"})

    def full(self: Path, *_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(EarwitnessError, match="No space left on device"):
            recipe.write(run.folder, {"state": "done"})
    assert json.loads((run.folder / "run.json").read_text()) == {"state": "running"}
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]
