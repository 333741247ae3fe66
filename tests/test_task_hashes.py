"""A card's identities are on the golden list: what it says is explained, by which code, and what is measured.

`python tests/test_task_hashes.py` writes the list anew. Where the data of a task change, or its headline, so does its
version; where code does and rows stay the same to the last bit, results/former.toml can say so.
"""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from earwitness import registry
from earwitness.identity import digest
from earwitness.scoring.measured import measured
from earwitness.task import read_task

LIST = Path(__file__).parent / "task_hashes.toml"
GOLDEN = tomllib.loads(LIST.read_text(encoding="utf-8"))
HINTS = {
    "data": "what is explained changed: raise the version in the card, and write the list anew",
    "headline": "the headline changed: raise the version in the card, and write the list anew",
    "code": "code of what is explained changed, so that its runs are explained again; write the list anew",
    "measured": "metrics, their code or the truth changed, so that its runs are scored again; write the list anew",
}


def identities(task_id: str) -> dict[str, Any]:
    task = registry.task(task_id)
    return {
        "version": task.card.version,
        "data": task.data_hash,
        "headline": digest([task.card.main_metric, [metric.id for metric in task.card.metrics if metric.headline]]),
        "code": task.code_hash,
        "measured": digest(measured(task)),
    }


def test_every_task_is_on_the_golden_list() -> None:
    assert sorted(GOLDEN) == registry.task_ids()


@pytest.mark.parametrize("task_id", sorted(GOLDEN))
def test_a_task_that_changes_changes_its_version(task_id: str) -> None:
    now, golden = identities(task_id), GOLDEN[task_id]
    for part in ("data", "headline"):
        assert now[part] == golden[part] or now["version"] > golden["version"], HINTS[part]
    for part, hint in HINTS.items():
        assert now[part] == golden[part], hint
    assert now["version"] == golden["version"], "write the list anew"


@pytest.mark.parametrize(
    ("before", "after", "explained"),
    [
        ("items = 1000", "items = 999", True),
        ("seconds = 600.0", "seconds = 601.0", True),
        ("title =", 'superseded_by = "other"\ntitle =', False),
        ("version = 1", "version = 2", False),
        ('metric = "kl_noise"', 'metric = "kl_noise"\nheadline = true', False),
    ],
)
def test_a_card_is_another_where_it_says_that_something_else_is_explained(
    tmp_path: Path, before: str, after: str, explained: bool
) -> None:
    original = registry.task("musicgen_musiccaps")
    folder = shutil.copytree(original.folder, tmp_path / "task")
    assert read_task(folder).hash == original.hash
    card = folder / "task.toml"
    text = card.read_text(encoding="utf-8")
    assert before in text
    card.write_text(text.replace(before, after, 1), encoding="utf-8")
    assert (read_task(folder).hash != original.hash) == explained


@pytest.mark.parametrize(("file", "moves"), [("certificate.json", True), ("ceiling.parquet", False)])
def test_stored_truth_is_measured_with_and_ceilings_are_not(tmp_path: Path, file: str, moves: bool) -> None:
    original = registry.task("musicgen_musiccaps")
    folder = shutil.copytree(original.folder, tmp_path / "task")
    before = measured(read_task(folder))
    (folder / "truth").mkdir()
    (folder / "truth" / file).write_text("{}", encoding="utf-8")
    assert read_task(folder).hash == original.hash
    assert (measured(read_task(folder)) != before) == moves


if __name__ == "__main__":
    tables = []
    for name in registry.task_ids():
        entries = [
            f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in identities(name).items()
        ]
        tables.append("\n".join([f"[{name}]", *entries]).replace("'", '"'))
    LIST.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
