"""What a changed line voids: exactly which explanations and which rows are made again (docs/architecture.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from earwitness import closure, registry
from earwitness.scoring.columns import read_columns
from earwitness.scoring.measured import measured
from earwitness.submission import Submission
from earwitness.task import Task

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "benchmark" / "earwitness"
PROMPT, SPEECH = {"micro_prompt", "musicgen_musiccaps"}, {"micro_speech"}
MADE = PROMPT | SPEECH | {"micro_band", "micro_concept"}


@dataclass(frozen=True)
class Change:
    """A changed line and what it voids."""

    words: str
    """The row's name in the table of docs/architecture.md."""
    file: str
    """Below the package."""
    line: str
    explained: frozenset[str] = frozenset()
    """Tasks whose items are explained again."""
    scored: frozenset[str] = frozenset()
    """Tasks all of whose metrics are measured again."""
    metrics: frozenset[str] = frozenset()
    """Names of the metrics that are measured again, whatever the task."""
    submissions: frozenset[tuple[str, str]] = frozenset()
    """Submissions, on a track, that explain again."""
    judge: str = ""
    """Adapter of the judge whose metrics are measured again."""


CODE = "PLANTED = 1\n"
FIDELITY = frozenset({"fid_f", "fid_cf", "fid_noise", "kl_f", "kl_cf", "kl_noise"})
UNTRAINED = frozenset((id, "concept") for id in ("random", "random_relu", "random_topk"))
LAZY = """
def lazily():
    from earwitness.models import planted_lazy

    importlib.import_module("earwitness.models.planted_dynamic")
"""
CHANGES = [
    Change("a line of a metric", "metrics/fidelity.py", CODE, metrics=FIDELITY),
    Change("a line of a judge", "judges/cnn.py", CODE, judge="cnn"),
    Change("a line of a model's adapter", "models/musicgen.py", CODE, frozenset(PROMPT)),
    Change("a line of a helper that an adapter imports", "models/kv_cache.py", CODE, frozenset(PROMPT)),
    Change("a line of a helper that it imports inside a function", "models/planted_lazy.py", CODE, frozenset(PROMPT)),
    Change("a line of a helper that it imports by a text", "models/planted_dynamic.py", CODE, frozenset(PROMPT)),
    Change("a line of a dataset's adapter", "datasets/musiccaps.py", CODE, frozenset({"musicgen_musiccaps"})),
    Change("a line of a world", "worlds/espeak.py", CODE, frozenset(SPEECH)),
    Change("a line of a track's contract", "tracks/speech.py", CODE, frozenset(SPEECH), frozenset(SPEECH)),
    Change("a line of a track's scoring", "scoring/speech/removal.py", CODE, scored=frozenset(SPEECH)),
    Change("a line of what all scoring shares", "scoring/evaluate.py", CODE, scored=frozenset(MADE)),
    Change("a line of what submissions share", "explaining/untrained.py", CODE, submissions=UNTRAINED),
    Change("a line of a training recipe, a certificate or a search", "authoring/prompt/ceiling.py", CODE),
    Change("a docstring", "datasets/musiccaps.py", '"""A text that stands alone."""\n'),
    Change("a comment", "metrics/fidelity.py", "# why\n"),
    Change("a new adapter", "models/planted.py", CODE),
    Change("a new file of metrics", "metrics/planted.py", CODE),
    Change("the command line", "cli/run.py", CODE),
    Change("the board, the gate, the page", "board/store.py", CODE),
    Change("how runs are kept", "harness/run.py", CODE),
    Change("how rows are stored", "results/rows.py", CODE),
]


@cache
def submissions() -> list[Submission]:
    return [registry.submission(id) for id in registry.submission_ids()]


@cache
def tasks() -> list[Task]:
    return [registry.task(id) for id in sorted(MADE)]


Identities = tuple[dict[str, str], dict[tuple[str, str], str], dict[tuple[str, str], str]]


def identities() -> Identities:
    """Of every made task, of every metric on it, and of every submission on its tracks."""
    explained = {task.id: task.code_hash for task in tasks()}
    rows = {(task.id, metric): hash for task in tasks() for metric, hash in measured(task).items()}
    entrants = {(own.id, track): hash for own in submissions() for track, hash in own.hashes.items()}
    return explained, rows, entrants


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("copy") / "earwitness"))
    for name in ("planted_lazy", "planted_dynamic"):
        (folder / "models" / f"{name}.py").write_text("PLANTED = 0\n", encoding="utf-8")
    with (folder / "models" / "musicgen.py").open("a", encoding="utf-8") as file:
        file.write(LAZY)
    return folder


@pytest.fixture(scope="module")
def before(copy: Path) -> Iterator[Identities]:
    """Identities by the sources of a copy of the library, as they are for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closure, "_package", lambda top: copy if top == closure.OWN else None)
        yield identities()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.words)
def test_a_changed_line_voids_what_it_touches_and_nothing_else(copy: Path, before: Identities, change: Change) -> None:
    path = copy / change.file
    text = path.read_text(encoding="utf-8") if path.is_file() else None
    path.write_text((text or "") + change.line, encoding="utf-8")
    try:
        after = identities()
    finally:
        path.write_text(text, encoding="utf-8") if text is not None else path.unlink()
    pairs: Any = zip(before, after, strict=True)
    changed = [{key for key, hash in now.items() if hash != was[key]} for was, now in pairs]
    explained, rows, entrants = changed
    assert explained == change.explained
    assert rows == {
        (task.id, card.id)
        for task in tasks()
        for card in task.card.metrics
        if task.id in change.scored or card.metric in change.metrics or change.judge in judge_of(task, card.id)
    }
    assert entrants == change.submissions


def test_a_judge_more_voids_no_explanation_and_no_row_of_the_others(tmp_path: Path) -> None:
    more = registry.task("micro_prompt")
    judges = [judge for judge in more.card.judges if judge.name != "passt"]
    asks = {card.id for card in more.card.metrics if card.parameters.get("judge") == "passt"}
    folder = shutil.copytree(more.folder, tmp_path / more.id, ignore=shutil.ignore_patterns("passt"))
    fewer = Task(
        more.card.model_copy(
            update={"judges": judges, "metrics": [card for card in more.card.metrics if card.id not in asks]}
        ),
        folder,
    )
    assert len(judges) == 2
    assert {id.partition("@")[0] for id in asks} == {"fid_f", "kl_f", "fid_cf", "kl_cf"}
    assert (more.hash, more.seed_key) == (fewer.hash, fewer.seed_key)
    after = measured(more)
    assert set(after) - set(measured(fewer)) == asks
    assert measured(fewer) == {metric: hash for metric, hash in after.items() if metric not in asks}


def judge_of(task: Task, metric: str) -> list[str]:
    """Adapter of the judge that a metric asks, if it asks one."""
    return [judge.adapter for judge in task.card.judges if judge.name == judges_asked(task.id)[metric]]


@cache
def judges_asked(task: str) -> dict[str, str]:
    """Name of the judge that each metric of a task asks, empty where it asks none."""
    return {column.id: column.judge for column in read_columns(registry.task(task))}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.words)
def test_the_table_of_the_docs_names_every_change(change: Change) -> None:
    assert f"| {change.words} |" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
