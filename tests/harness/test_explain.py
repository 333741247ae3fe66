from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import FakeBox, make_item
from safetensors.numpy import save_file

from earwitness import registry
from earwitness.box import Answer, BoxError, Guard
from earwitness.errors import EarwitnessError
from earwitness.harness import explain
from earwitness.harness.answers import answers_of
from earwitness.results.rows import Status

ITEMS = tuple(make_item(f"item-{i}") for i in range(6))


def statuses(box: FakeBox) -> list[str]:
    return [str(answer.status) for answer in answers_of(box, ITEMS)]


def test_one_item_that_kills_the_box_costs_itself_alone() -> None:
    box = FakeBox(lambda item: "die" if item.id == "item-2" else None)
    assert statuses(box) == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert [len(batch) for batch in box.batches] == [6, 1, 1, 1, 1, 1, 1]


def test_an_item_that_hangs_is_timed_out() -> None:
    assert statuses(FakeBox(lambda item: "hang" if item.id == "item-0" else None))[0] == Status.TIMED_OUT


def test_a_box_that_is_lost_again_and_again_is_given_up_with_a_reason() -> None:
    box = FakeBox(lambda item: "hang" if item.id != "item-0" else None)
    answers = answers_of(box, ITEMS)
    assert [str(answer.status) for answer in answers] == ["ok", *["timed_out"] * 5]
    assert answers[2].reason == "no answer"
    assert answers[-1].reason == "not tried: the 2 items before it cost the explainer's process (no answer)"
    assert len(box.batches) == 4


def test_what_is_given_up_stays_given_up_in_the_shards_after_it(make_run: Any, box: Any) -> None:
    run = make_run()
    box.behave = lambda item: "hang"
    explain.explain(run, explain.shards({0: [make_item(str(i)) for i in range(40)]}))
    found = [explain.read(explain.path_of(run, name))[0] for name in ("00000", "00016", "00032")]
    assert {entry.status for entries in found for entry in entries.values()} == {Status.TIMED_OUT}
    assert [len(batch) for batch in box.batches] == [16, 1, 1]


def test_a_box_that_cannot_be_opened_fails_every_item_and_is_tried_once(make_run: Any, box: Any) -> None:
    run = make_run()
    tries = []

    def refuse() -> None:
        tries.append(1)
        raise BoxError("cannot start: SyntaxError: invalid syntax")

    box.open = refuse
    explain.explain(run, explain.shards({0: ITEMS}))
    described, arrays, _ = explain.read(explain.path_of(run, "00000"))
    assert {entry.reason for entry in described.values()} == {"cannot start: SyntaxError: invalid syntax"}
    assert len(described) == 6
    assert arrays == {}
    assert len(tries) == 1


def test_a_box_that_is_killed_while_it_is_opened_is_opened_once_more(make_run: Any, box: Any) -> None:
    run = make_run()
    killed = BoxError("the explainer's process was killed (out of memory?)")
    killed.killed = True
    ends: list[BoxError | None] = [killed, None]

    def open_it() -> None:
        if (end := ends.pop(0)) is not None:
            raise end

    box.open = open_it
    explain.explain(run, explain.shards({0: ITEMS}))
    assert {entry.status for entry in explain.read(explain.path_of(run, "00000"))[0].values()} == {Status.OK}


def test_a_submission_may_keep_what_it_has_until_its_shard_is_stored(make_run: Any, box: Any) -> None:
    run = make_run()
    assert explain.brief_of(run).scratch == ""
    found = []

    def interrupted(item: Any) -> str | None:
        (run.scratch / item.id).write_text("fitted")
        if item.id == "item-5":
            raise KeyboardInterrupt
        return None

    box.behave = interrupted
    with pytest.raises(KeyboardInterrupt):
        explain.explain(run, explain.shards({0: ITEMS}))
    box.behave = lambda item: found.append((run.scratch / item.id).exists())
    explain.explain(run, explain.shards({0: ITEMS}))
    assert found
    assert all(found)
    assert not run.scratch.exists()


def test_a_box_has_room_for_the_model_that_the_card_tells_of() -> None:
    task = registry.task("audiogen_audiocaps")
    assert task.card.needs.parameters
    guard = explain.guard_of(SimpleNamespace(task=task))  # type: ignore[arg-type]
    assert guard.memory == Guard.memory + 12 * task.card.needs.parameters


def test_explanations_come_back_from_their_file(make_run: Any, box: Any) -> None:
    run = make_run()
    box.behave = lambda item: "invalid" if item.id == "item-1" else None
    explain.explain(run, explain.shards({0: ITEMS}))
    described, arrays, fields = explain.read(explain.path_of(run, "00000"))
    assert sorted(described) == [item.id for item in ITEMS]
    assert described["item-0"].cost.forwards == 3
    assert sorted(arrays) == [item.id for item in ITEMS if item.id != "item-1"]
    assert arrays["item-0"]["weights"].shape == (4,)
    assert fields["isolation"] == "process"


def test_a_shard_is_sixteen_items_named_by_its_first() -> None:
    items = [make_item(str(i)) for i in range(33)]
    assert [(shard.name, len(shard.items)) for shard in explain.shards({0: items})] == [
        ("00000", 16),
        ("00016", 16),
        ("00032", 1),
    ]


def test_a_broken_file_of_explanations_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "00000.safetensors"
    path.write_bytes(b"half of a file")
    with pytest.raises(EarwitnessError, match="delete it and run the same command"):
        explain.read(path)


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"items": []}',
        '{"items": {"a": 1}}',
        '{"items": {"a": {"status": "excellent", "reason": "", "cost": {}}}, "isolation": "process"}',
        '{"items": {"a": {"status": "ok", "reason": "", "cost": {"hours": 1}}}, "isolation": "process"}',
        '{"items": {}}',
    ],
)
def test_explanations_that_no_run_wrote_are_named(tmp_path: Path, fields: str) -> None:
    path = tmp_path / "00000.safetensors"
    save_file({"a/weights": np.zeros(2, np.float32)}, path, metadata={"fields": fields})
    with pytest.raises(EarwitnessError, match=r"holds no explanations: it is not what a run wrote; delete it"):
        explain.read(path)


@pytest.mark.parametrize("make", [np.asfortranarray, lambda array: array[::-1], lambda array: array.T[1:].T])
def test_an_array_is_kept_as_it_is_whatever_its_strides(make: Any, tmp_path: Path) -> None:
    array = make(np.arange(12, dtype=np.float32).reshape(3, 4))
    path, answer = tmp_path / "part.safetensors", Answer("a", Status.OK, arrays={"weights": array})
    explain.write(path, [answer], {"isolation": "none"})
    _, arrays, _ = explain.read(path)
    np.testing.assert_array_equal(arrays["a"]["weights"], array)
