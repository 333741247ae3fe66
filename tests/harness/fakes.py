"""A task, submissions, a box and a scoring without any model, for tests of the harness alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from earwitness.box import Answer, BoxError, Cost
from earwitness.results.rows import Status
from earwitness.scoring import Problem, Setting, Value
from earwitness.submission import Submission, read_submission
from earwitness.task import Task, read_task
from earwitness.tracks.prompt import PromptItem, TokenMap

FRAMES = 3

TASK = """
id = "fake_task"
version = 1
track = "prompt"
title = "A task without a model"
licence = "Apache-2.0"
reference = "none"
main_metric = "size"

[model]
adapter = "musicgen"
source = "model"

[dataset]
adapter = "scenes"
items = 40

[budget]
seconds = 5.0
forwards = 100

[[metrics]]
metric = "size"
headline = true

[[metrics]]
metric = "logit_kl_f"
parameters = { mask = "top30" }
"""

SUBMISSION = """
id = "{id}"
track = "prompt"
title = "A submission"
authors = ["A"]
licence = "Apache-2.0"
explainer = "Mine"
"""


def make_task(folder: Path) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(TASK, encoding="utf-8")
    return read_task(folder)


def make_submission(folder: Path, code: str = "") -> Submission:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "submission.toml").write_text(SUBMISSION.format(id=folder.name), encoding="utf-8")
    (folder / "explainer.py").write_text(code, encoding="utf-8")
    return read_submission(folder)


def number(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def make_item(name: str, seed: int = 0) -> PromptItem:
    return PromptItem(
        id=name,
        prompt="a dog barks",
        seed=1,
        explainer_seed=seed,
        codes=np.zeros((2, FRAMES), dtype=np.int64),
        tokens=("a", "dog", "barks", "</s>"),
        special=np.array([False, False, False, True]),
    )


def make_map(item: PromptItem) -> TokenMap:
    drawn = (item.explainer_seed,) if item.explainer_seed else ()
    return TokenMap(np.array([number(item.id, token, *drawn) for token in range(len(item.tokens))]))


class FakeBox:
    """Answers at once; `behave` may raise for an item, or change its answer."""

    isolation = "process"
    device = "cpu"

    def __init__(self, behave: Callable[[PromptItem], str | None] = lambda item: None, pause: float = 0.0) -> None:
        self.behave = behave
        self.pause = pause
        self.opened = 0
        self.batches: list[list[str]] = []

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        pass

    def explain(self, items: Sequence[PromptItem]) -> list[Answer]:
        self.batches.append([item.id for item in items])
        time.sleep(self.pause)
        for item in items:
            if self.behave(item) == "die":
                raise BoxError("the explainer's process ended with exit code 9")
            if self.behave(item) == "hang":
                raise BoxError("no answer", Status.TIMED_OUT)
        return [self._answer(item) for item in items]

    def _answer(self, item: PromptItem) -> Answer:
        if self.behave(item) == "invalid":
            return Answer(item.id, Status.INVALID, "TokenMap.weights must be finite", Cost(0.1))
        return Answer(item.id, Status.OK, "", Cost(0.5, 3, 2, 1024), make_map(item).arrays())


class FakeScoring:
    """The mean weight as every metric's value."""

    problem: str | None = None

    def __init__(self, setting: Setting, pause: float = 0.0) -> None:
        self.setting = setting
        self.pause = pause

    def names(self) -> list[str]:
        count = self.setting.items or self.setting.task.card.dataset.items
        return [f"item-{i:03d}" for i in range(count)]

    def items(self, ids: Sequence[str] | None = None) -> tuple[list[PromptItem], list[Problem]]:
        wanted = self.names() if ids is None else ids
        items = [make_item(name, self.setting.seed) for name in wanted if name != self.problem]
        problems = [Problem(name, "the prompt has no words") for name in wanted if name == self.problem]
        return items, problems

    def seeded(self, item: PromptItem, seed: int) -> PromptItem:
        return replace(item, explainer_seed=self.setting.seed + seed)

    def clusters(self) -> dict[str, str]:
        return {name: f"cluster-{i // 2}" for i, name in enumerate(self.names())}

    def score(self, pairs: Sequence[tuple[PromptItem, TokenMap]], exhibits: Path | None = None) -> list[list[Value]]:
        time.sleep(self.pause)
        seed = self.setting.seed
        return [
            [
                Value(metric.id, seed, float(explanation.weights.mean()) + number(metric.id, item.id, seed), "ok")
                for metric in self.setting.task.card.metrics
            ]
            for item, explanation in pairs
        ]


class NamedScoring(FakeScoring):
    """Items that differ in what an explainer sees."""

    def items(self, ids: Sequence[str] | None = None) -> tuple[list[PromptItem], list[Problem]]:
        items, problems = super().items(ids)
        return [replace(item, prompt=f"a dog barks {item.id}") for item in items], problems
