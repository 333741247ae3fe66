"""A refusal to compare says which of task, model and data differ."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from earwitness import registry
from earwitness.errors import NotComparableError
from earwitness.gate import check, parse, read_baseline, update_baseline
from earwitness.gate.baseline import read_rows
from earwitness.gate.comparability import attach, attached, describe, fingerprints_of_card, fingerprints_of_task
from gate_rows import recipe, scores, table

CARD = {"id": "planted", "version": 1, "model": {"source": "model"}, "dataset": {"items": 20}, "budget": {"seconds": 1}}
VALUES = {"fid_cf@top30": scores(20)}
RULES = [parse("fid_cf worse by >2% at p<0.05")]


def refusal(tmp_path: Path, card: dict[str, object]) -> str:
    path = tmp_path / "b.parquet"
    update_baseline(path, attach(table(VALUES), {"h1": fingerprints_of_card(CARD)}))
    run = attach(table(VALUES, task_hash="h2"), {"h2": fingerprints_of_card(card)})
    with pytest.raises(NotComparableError) as caught:
        check(run, read_baseline(path), RULES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model": {"source": "other"}}, "fingerprints of model"),
        ({"dataset": {"items": 21}}, "fingerprints of data"),
        ({"budget": {"seconds": 2}}, "fingerprints of task"),
        ({"model": {"source": "other"}, "dataset": {"items": 21}}, "fingerprints of data, model"),
    ],
)
def test_the_part_that_differs_is_named(tmp_path: Path, change: dict[str, object], part: str) -> None:
    assert f"{part};" in refusal(tmp_path, {**CARD, **change})


def test_where_the_cards_are_the_same_the_files_are_to_blame(tmp_path: Path) -> None:
    assert "files of the task's folder changed" in refusal(tmp_path, CARD)


def test_files_of_a_folder_have_a_fingerprint_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "weights"
    task = SimpleNamespace(
        folder=tmp_path, card=SimpleNamespace(model_dump=lambda mode: CARD), data_files=lambda: [weights], code_hash="c"
    )
    weights.write_bytes(b"1")
    before = fingerprints_of_task(task)  # type: ignore[arg-type]
    weights.write_bytes(b"2")
    after = fingerprints_of_task(task)  # type: ignore[arg-type]
    assert [part for part in before if before[part] != after[part]] == ["files of model"]


def test_other_code_alone_is_compared_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    known = fingerprints_of_card(CARD)
    update_baseline(path, attach(table(VALUES), {"h1": {**known, "code": "a"}}))
    report = check(attach(table(VALUES, task_hash="h2"), {"h2": {**known, "code": "b"}}), read_baseline(path), RULES)
    assert report.exit_code == 0
    assert "planted: the code of its track, model or dataset is not the baseline's" in report.notes
    other = {"h2": {**known, "code": "b", "data": "other"}}
    with pytest.raises(NotComparableError, match="fingerprints of code, data"):
        check(attach(table(VALUES, task_hash="h2"), other), read_baseline(path), RULES)


def test_fingerprints_travel_with_the_rows_and_into_the_baseline(tmp_path: Path) -> None:
    task = registry.task("musicgen_musiccaps")
    rows = describe(table(VALUES, task=task.id, task_hash=task.hash), [task])
    update_baseline(tmp_path / "b.parquet", rows)
    assert attached(read_baseline(tmp_path / "b.parquet")) == {task.hash: fingerprints_of_task(task)}


def test_a_baseline_forgets_the_fingerprints_of_tasks_that_it_no_longer_holds(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    for name in ("h1", "h2"):
        update_baseline(path, attach(table(VALUES, task_hash=name), {name: fingerprints_of_card(CARD)}))
    assert list(attached(read_baseline(path))) == ["h2"]


def test_a_run_of_a_task_that_is_not_registered_has_the_fingerprints_of_its_recipes_card(tmp_path: Path) -> None:
    from earwitness.results.rows import write_table

    write_table(table(VALUES), tmp_path / "rows" / "0.parquet")
    made = recipe(table(VALUES), task={"id": "planted", "hash": "h1", "card": CARD})
    (tmp_path / "run.json").write_text(json.dumps(made), encoding="utf-8")
    assert attached(read_rows([tmp_path])) == {"h1": fingerprints_of_card(CARD)}
