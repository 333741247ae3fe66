import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import FakeScoring, make_map, make_task

from earwitness import tracks
from earwitness.box.child import Bench
from earwitness.errors import EarwitnessError
from earwitness.harness import inline, recipe
from earwitness.harness.inline import Passes, Subject, count_passes, run_object
from earwitness.harness.recipe import Arguments
from earwitness.results import rows
from earwitness.tracks.prompt import PromptExplainer, PromptItem, TokenMap


class FakeModel:
    """Counts a pass of each row that goes through it."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.metered = torch.nn.Linear(1, 1)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        return float(len(args[0]))


class Asks(PromptExplainer):
    """Asks the model about each token of an item, and draws from the global generators."""

    def explain(self, model: Any, item: PromptItem) -> TokenMap:
        model.metered(torch.randn(len(item.tokens), 1)).sum().backward()
        return make_map(item)


class Fails(Asks):
    """Knows nothing of two items."""

    def explain(self, model: Any, item: PromptItem) -> TokenMap:
        if item.id in {"item-001", "item-002"}:
            raise ValueError("no idea")
        return super().explain(model, item)


class Greedy(Asks):
    """Asks more than the task's budget allows."""

    def explain(self, model: Any, item: PromptItem) -> TokenMap:
        model.metered(torch.zeros(500, 1))
        return make_map(item)


@pytest.fixture
def run(scoring: type[FakeScoring], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Runs an explainer on five items of the fake task."""

    def bench(explainer: Any, task: Any, device: str) -> Bench:
        return Bench(tracks.load("prompt"), FakeModel(), explainer)

    monkeypatch.setattr(inline, "open_bench", bench)
    task = make_task(tmp_path / "fake_task")

    def run(explainer: Any, origin: str = "") -> Path:
        subject = Subject(explainer, "mine", origin)
        return run_object(subject, task, Arguments(items=5, device="cpu"), tmp_path / "runs")

    return run


def state() -> tuple[Any, ...]:
    """What the global generators draw next, and the number of threads."""
    legacy = np.random.get_state()[1].tolist()  # noqa: NPY002
    return torch.get_rng_state().tolist(), random.getstate(), legacy, torch.get_num_threads()


def table(folder: Path) -> list[dict[str, Any]]:
    return rows.read_run(folder).to_pylist()


def test_an_object_is_scored_into_a_run_that_is_done(run: Callable[..., Path]) -> None:
    folder = run(Asks())
    known = recipe.read(folder)
    assert (known["state"], known["items"], known["failed"]) == ("done", 5, 0)
    found = table(folder)
    assert len(found) == 10
    assert {(row["submission"], row["isolation"], row["status"]) for row in found} == {("mine", "none", "ok")}
    assert {(row["forwards"], row["backwards"]) for row in found} == {(4, 4)}


def test_items_that_fail_are_rows_with_a_reason(run: Callable[..., Path]) -> None:
    failed = {row["item"]: row["reason"] for row in table(run(Fails())) if row["status"] != "ok"}
    assert failed == {"item-001": "ValueError: no idea", "item-002": "ValueError: no idea"}


def test_the_budget_holds_here_as_in_a_box(run: Callable[..., Path]) -> None:
    found = table(run(Greedy()))
    assert {row["status"] for row in found} == {"timed_out"}
    assert found[0]["reason"] == "500 forward equivalents, over the budget of 100 an item"


def test_the_callers_generators_and_threads_are_left_as_they_were(run: Callable[..., Path]) -> None:
    before = state()
    run(Asks())
    assert state() == before


def test_a_finished_run_is_kept_and_another_origin_is_another_run(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(Asks())
    assert run(Asks(), "elsewhere") != first
    monkeypatch.setattr(inline, "open_bench", lambda *_: pytest.fail("explained again"))
    assert run(Asks()) == first


def test_a_run_of_other_packages_is_moved_aside_with_a_warning_and_made_again(run: Callable[..., Path]) -> None:
    folder = run(Asks())
    before, stored = rows.read_run(folder), recipe.read(folder)
    recipe.write(folder, {**stored, "versions": {**stored["versions"], "torch": "0.1"}})
    with pytest.warns(UserWarning, match=r"was made by another version \(torch 0\.1 -> .*: moved to"):
        again = run(Asks())
    assert again == folder
    assert recipe.read(again)["state"] == "done"
    assert rows.read_run(again)["value"].equals(before["value"])


def test_an_object_of_no_explainers_class_is_refused(run: Callable[..., Path]) -> None:
    with pytest.raises(EarwitnessError, match="str does not subclass PromptExplainer"):
        run("occlusion")


def test_passes_are_counted_item_by_item() -> None:
    items = [
        PromptItem("x", "a b", 0, 1, np.zeros((2, 3), int), tuple("ab")[:count], np.zeros(count, bool))
        for count in (1, 2)
    ]
    found = count_passes(Bench(tracks.load("prompt"), FakeModel(), Asks()), items)
    assert found == [Passes("x", 1, 1), Passes("x", 2, 2)]
