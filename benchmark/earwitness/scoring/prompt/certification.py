"""Certify a task: compute and store its truth, item by item, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import defaultdict
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from earwitness.errors import EarwitnessError
from earwitness.scoring import Setting
from earwitness.scoring.prompt import ceiling, truth
from earwitness.scoring.prompt.certificate import certify_roles
from earwitness.scoring.prompt.oracle import oracle_rows
from earwitness.scoring.prompt.scoring import PromptScoring, open_scoring
from earwitness.scoring.prompt.shapley import MOST_WORDS, game, marginal, shapley

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem

NULL_EVIDENCE = 0.5 * log(10)
"""Nats: a word is certified to have no influence on a sound if it changes the sound's likelihood by less in every
coalition. The change is the log Bayes factor for the word; up to half a power of ten it is "not worth more than a bare
mention" (Jeffreys 1961, appendix B), so that the sampling noise of one sound hides it."""
WORK = ".certify.jsonl"
"""Finished items of a certification that goes on; hidden, so that it is no part of the task's identity."""


def certify(task: Task, device: str = "cpu", progress: bool = True) -> None:
    """Write `truth/shapley.parquet`, `truth/certificate.json` and `truth/ceiling.parquet` of a task.

    Raises EarwitnessError where the dataset has no truth to certify, or a file cannot be written.
    """
    with tempfile.TemporaryDirectory() as cache, _bars(progress) as bars:
        scoring = open_scoring(Setting(task, device=device, cache=Path(cache)))
        if any(record.truth is None for record in scoring.records):
            raise EarwitnessError(f"task {task.id}: its dataset has no truth about words, so nothing can be certified")
        items, _ = scoring.items()
        work = _Work(truth.folder(task) / WORK, _identity(task))
        words = _each(bars, "Shapley values", items, work, lambda item: _word_rows(scoring, item))
        highs = _each(bars, "ceilings", items, work, lambda item: _ceiling_rows(scoring, item))
        truth.write_table(truth.folder(task) / truth.SHAPLEY, words, truth.SHAPLEY_SCHEMA)
        roles = _roles(scoring, words)
        bar = bars.add_task("certificate", total=1)
        verdicts = certify_roles(task, scoring.respondent, _costs(words, roles))
        bars.advance(bar)
        truth.write_certificate(task, _certificate(task, verdicts, words, roles))
        highs += list(oracle_rows(scoring, items))
        truth.write_table(truth.folder(task) / truth.CEILING, highs, ceiling.SCHEMA)
        work.path.unlink(missing_ok=True)


class _Work:
    """Rows of finished items, kept on disk as lines of JSON below a line that says what they were computed for."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self._done: dict[tuple[str, str], list[dict[str, Any]]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines[:1] == [identity]:
            for line in lines[1:]:
                try:
                    stage, item, rows = json.loads(line)
                except ValueError:  # a line that a kill cut short
                    continue
                self._done[stage, item] = rows
        path.parent.mkdir(parents=True, exist_ok=True)
        done = [json.dumps([stage, item, rows]) for (stage, item), rows in self._done.items()]
        path.write_text("\n".join([identity, *done, ""]), encoding="utf-8")

    def rows(self, stage: str, item: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Rows of an item, computed unless they are on disk."""
        if (stage, item) not in self._done:
            rows = compute()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([stage, item, rows]) + "\n")
            self._done[stage, item] = rows
        return self._done[stage, item]


def _identity(task: Task) -> str:
    """Hash of everything that truth depends on: the card and the models, not the truth itself."""
    digest = hashlib.sha256(json.dumps(task.card.model_dump(mode="json"), sort_keys=True).encode())
    for path in task.data_files():
        if path.relative_to(task.folder).parts[0] != truth.folder(task).name:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _each(
    bars: Progress,
    stage: str,
    items: list[PromptItem],
    work: _Work,
    compute: Callable[[PromptItem], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    bar = bars.add_task(stage, total=len(items))
    rows: list[dict[str, Any]] = []
    for item in items:
        rows += work.rows(stage, item.id, lambda item=item: compute(item))  # type: ignore[misc]
        bars.advance(bar)
    return rows


def _word_rows(scoring: PromptScoring, item: PromptItem) -> list[dict[str, Any]]:
    texts = item.prompt.split()
    if len(texts) > MOST_WORDS:
        return []
    values = game(scoring.model, item)
    gains = marginal(values)
    largest = np.abs(gains).max(1)
    return [
        {
            "item": item.id,
            "codes": truth.codes_digest(item),
            "word": word,
            "text": text,
            "shapley": value,
            "cost": gains[word, -1],
            "largest": largest[word],
            "null": bool(largest[word] <= NULL_EVIDENCE),
        }
        for word, (text, value) in enumerate(zip(texts, shapley(values).tolist(), strict=True))
    ]


def _ceiling_rows(scoring: PromptScoring, item: PromptItem) -> list[dict[str, Any]]:
    originals = scoring.originals
    heard = originals.heard(scoring.chunk_of(item.id), scoring.respondent)[item.id]
    searched = ceiling.Searched(scoring.respondent, item, heard, originals.noise)
    return ceiling.search(searched, scoring.readings, originals.seeds)


def _roles(scoring: PromptScoring, words: Iterable[dict[str, Any]]) -> list[str]:
    """Role of the word of each row."""
    roles = {record.id: record.truth.roles for record in scoring.records if record.truth is not None}
    return [roles[row["item"]][row["word"]] for row in words]


def _costs(words: Iterable[dict[str, Any]], roles: Iterable[str]) -> dict[str, list[float]]:
    """Nats that removing one word costs, mean over an item's words of a role, by role."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, role in zip(words, roles, strict=True):
        found[role][row["item"]].append(row["cost"])
    return {role: [float(np.mean(costs)) for costs in items.values()] for role, items in found.items()}


def _certificate(
    task: Task, verdicts: dict[str, dict[str, Any]], words: list[dict[str, Any]], roles: list[str]
) -> dict[str, Any]:
    null = defaultdict(list)
    for row, role in zip(words, roles, strict=True):
        null[role].append(row["null"])
    return {
        "task": task.seed_key,
        "roles": verdicts,
        "null_words": {
            "largest_nats": NULL_EVIDENCE,
            "share": {role: float(np.mean(flags)) for role, flags in sorted(null.items())},
            "words": {role: len(flags) for role, flags in sorted(null.items())},
        },
    }


def _bars(progress: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=not progress
    )
