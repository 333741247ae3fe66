"""Entrants of a tiny model whose sanity is looked at from end to end: who ignores the weights is flagged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import make_submission

import earwitness.box
from earwitness import registry
from earwitness.box import Brief, Guard, child
from earwitness.errors import EarwitnessError
from earwitness.harness import recipe, sanity, score
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute
from earwitness.results.sanity import SANITY, Sanity, SanityCheck, read_sanity
from in_process import InlineEngine, ThreadBox

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from tiny_task import PROMPTS, make_tiny_task

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
# Of the model it reads nothing, of the prompt the words; and it fails on one item.
WORDS_ALONE = """
import numpy as np
from earwitness.tracks.prompt import PromptExplainer, TokenMap

class Mine(PromptExplainer):
    def explain(self, model, item):
        if item.prompt == "rain":
            raise RuntimeError("not this one")
        return TokenMap(np.array([len(token) / 20 for token in item.tokens]))
"""


class Looked:
    """Three entrants of a tiny task, run and looked at; boxes are threads of this process."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Brief] = []
        self.task = registry.task(str(make_tiny_task(folder / "tiny", [*PROMPTS, "rain"])))
        mine = make_submission(folder / "mine", WORDS_ALONE)
        found = [*(registry.submission(str(SUBMISSIONS / id)) for id in ("random", "occlusion")), mine]
        runs = [Run(self.task, each, Arguments(device="cpu"), folder / "runs") for each in found]
        assert all(outcome.done for outcome in execute(runs, InlineEngine()))
        self.runs = {run.submission.id: run for run in runs}
        self.told.clear()
        self.found = {id: self.look(id) for id in self.runs}

    def look(self, id: str) -> Sanity:
        return sanity.of_run(self.runs[id].folder, InlineEngine())

    def create(self, isolation: str, brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> ThreadBox:
        self.told.append(brief)
        return ThreadBox(brief, guard, log, stopped)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "end_with", lambda _: None)
        patch.setattr(child, "traceback", SimpleNamespace(print_exc=lambda: None))
        patch.setattr(score, "_OPENED", {})
        made = Looked.__new__(Looked)
        patch.setattr(earwitness.box, "create", made.create)
        made.__init__(tmp_path_factory.mktemp("looked"))  # type: ignore[misc]
        yield made


def stages(found: Sanity) -> list[SanityCheck]:
    return [check for check in found.checks if check.share is not None]


def test_random_is_flagged(looked: Looked) -> None:
    found = looked.found["random"]
    assert (found.items, found.submission, found.failed) == (6, "random", {})
    assert [check.share for check in stages(found)] == [0.25, 0.5, 0.75, 1.0]
    assert all(check.agreement == check.itself for check in found.checks)
    assert [check.flagged for check in found.checks] == [False, False, False, True, True]
    count = found.layers
    assert found.flags[0].startswith(
        f"They do not change when the parameters of {count} of {count} layers are drawn anew: no drop was found"
    )
    assert found.flags[1].startswith("They do not change when the words of the prompt change places: no drop was found")


def test_who_asks_the_model_is_not_flagged(looked: Looked) -> None:
    found = looked.found["occlusion"]
    assert found.flags == []
    assert found.itself == 1
    last, moved = stages(found)[-1], found.checks[-1]
    # A prompt of one word has nothing to rank, and no words to move.
    assert [(check.items, check.p) for check in (last, moved)] == [(5, 1 / 32), (5, 1 / 32)]
    assert all(check.agreement is not None and check.agreement < 0.95 for check in (last, moved))
    assert moved.back is not None
    assert found.complexity is not None
    assert found.complexity.redrawn is not None
    assert 0 < found.complexity.items <= 5


def test_who_reads_the_words_and_not_the_weights_is_flagged_for_the_weights_alone(looked: Looked) -> None:
    found = looked.found["mine"]
    last, moved = stages(found)[-1], found.checks[-1]
    assert (last.items, last.flagged, last.agreement, last.itself, last.p) == (5, True, 1.0, 1.0, 1.0)
    assert (moved.items, moved.flagged, moved.back) == (5, False, 1.0)
    assert len(found.flags) == 1


def test_an_item_that_fails_has_a_reason_under_every_condition(looked: Looked) -> None:
    assert set(looked.found["mine"].failed.values()) == {"RuntimeError: not this one"}
    # Trained, another seed, four stages: its one word cannot change places.
    assert len(looked.found["mine"].failed) == 6


def test_a_submission_is_told_the_same_names_whatever_is_left_of_the_model(looked: Looked) -> None:
    told = [brief for brief in looked.told if brief.submission.endswith("mine")]
    assert len(told) == 5
    assert {(brief.source, brief.adapter, brief.scratch) for brief in told} == {
        (looked.task.source("model"), "musicgen", "")
    }
    names = [set(brief.redrawn) for brief in told]
    assert names[0] == set()
    assert all(fewer < more for fewer, more in pairwise(names))


def test_what_was_answered_before_is_kept(looked: Looked) -> None:
    run, first = looked.runs["random"], looked.found["random"]
    assert read_sanity(run.folder) == first
    (run.folder / SANITY).unlink()
    (run.folder / sanity.FOLDER / "redrawn-0.5.safetensors").unlink()
    before = len(looked.told)
    assert looked.look("random") == first
    assert [len(brief.redrawn) for brief in looked.told[before:]] == [round(0.5 * first.layers)]


def test_a_run_that_is_not_done_or_is_a_copy_is_one_line(looked: Looked, tmp_path: Path) -> None:
    run = looked.runs["random"]
    stored = recipe.read(run.folder)
    recipe.write(tmp_path / run.name, {**stored, "state": "running"})
    recipe.write(tmp_path / "copy", stored)
    for folder in (tmp_path / run.name, tmp_path / "copy"):
        with pytest.raises(EarwitnessError, match="is no finished run"):
            sanity.of_run(folder, InlineEngine())


def test_finished_runs_are_found_and_others_are_not(looked: Looked) -> None:
    out, task = looked.runs["random"].out, looked.task.id
    assert sanity.done_runs(out, task, "random") == [looked.runs["random"].folder]
    assert sanity.done_runs(out, task, "spes") == []


def test_a_sanity_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert read_sanity(tmp_path) is None
    (tmp_path / SANITY).write_text('{"run": 1}')
    with pytest.raises(EarwitnessError, match="is no sanity of an entrant"):
        read_sanity(tmp_path)
