"""Certify a task: compute and store its truth, item by item, so that a killed run goes on where it stopped."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from itertools import compress
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings, certificates, work
from earwitness.authoring.prompt import ceiling
from earwitness.authoring.prompt.certificate import certify_roles
from earwitness.authoring.prompt.oracle import oracle_rows
from earwitness.authoring.prompt.shapley import MOST_WORDS, game, marginal, shapley
from earwitness.errors import EarwitnessError
from earwitness.metrics.responses.prompt import NullWords, WordShapley
from earwitness.scoring import Setting
from earwitness.scoring.certificates import folder
from earwitness.scoring.columns import of_response
from earwitness.scoring.prompt import truth
from earwitness.scoring.prompt.scoring import PromptScoring, open_scoring

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from earwitness.scoring.columns import Column
    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem

CEILINGS = "ceilings"
"""Stage of the work."""
NULL_EVIDENCE = 0.5 * log(10)
"""Nats: a word is certified to have no influence on a sound if it changes the sound's likelihood by less in every
coalition. The change is the log Bayes factor for the word; up to half a power of ten it is "not worth more than a bare
mention" (Jeffreys 1961, appendix B), so that the sampling noise of one sound hides it."""


def certify(task: Task, device: str = "cpu", progress: bool = True) -> None:
    """Write `truth/shapley.parquet`, `truth/certificate.json` and `truth/ceiling.parquet` of a task.

    Raises EarwitnessError where `require` does, or a file cannot be written.
    """
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        scoring = open_scoring(Setting(task, device=device, cache=Path(cache)))
        _require(scoring)
        items, _ = scoring.items()
        done = work.Work.of(task)
        words = work.each(bars, "Shapley values", items, done, lambda item: _word_rows(scoring, item))
        highs = work.each(bars, CEILINGS, items, done, lambda item: _ceiling_rows(scoring, item))
        ceilings.write_table(folder(task) / truth.SHAPLEY, words, truth.SHAPLEY_SCHEMA)
        roles = _roles(scoring, words)
        bar = bars.add_task("certificate", total=1)
        here = [not _acts_elsewhere(scoring, row) for row in words]
        costs = _costs(compress(words, here), compress(roles, here))
        verdicts = certify_roles(task, scoring.respondent, costs)
        bars.advance(bar)
        certificates.write_certificate(task, _certificate(task, verdicts, words, roles))
        highs += list(oracle_rows(scoring, items, scoring.metrics))
        ceilings.write(task, highs)
        done.path.unlink(missing_ok=True)


def require(task: Task) -> None:
    """Raise EarwitnessError, before anything is computed, where a task's truth cannot be certified.

    That is where its dataset has no truth about words, or its card asks for exact Shapley values and captions have more
    words than these are computed for.
    """
    with tempfile.TemporaryDirectory() as cache:
        _require(open_scoring(Setting(task, cache=Path(cache))))


def _require(scoring: PromptScoring) -> None:
    task, records = scoring.setting.task, scoring.records
    if any(record.truth is None for record in records):
        raise EarwitnessError(f"task {task.id}: its dataset has no truth about words, so nothing can be certified")
    exact = [column.id for column in of_response(scoring.metrics, (WordShapley, NullWords))]
    long = [record for record in records if len(record.prompt.split()) > MOST_WORDS]
    if exact and long:
        raise EarwitnessError(
            f"task {task.id}: {len(long)} of its {len(records)} captions have more than {MOST_WORDS} words (the first "
            f"is {long[0].id}), too many for the exact Shapley values that {' and '.join(exact)} of its card compare "
            "with; shorten the captions, or take the metrics off the card"
        )


def complete(task: Task, device: str = "cpu", progress: bool = True) -> int:
    """Add to `truth/ceiling.parquet` the metrics of the card that it lacks, and return the rows that were added.

    What is stored stays as it is, to the last bit. Raises EarwitnessError where nothing was certified yet.
    """
    stored = ceilings.read(task)
    if not stored:
        raise EarwitnessError(f"task {task.id}: nothing is certified yet; `earwitness train {task.id}` does that first")
    known = {row["metric"] for row in stored}
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        scoring = open_scoring(Setting(task, device=device, cache=Path(cache)))
        absent = [column for column in scoring.metrics if column.id not in known]
        items, _ = scoring.items()
        done = work.Work.of(task)
        added = work.each(bars, "ceilings that lack", items, done, lambda item: _ceiling_rows(scoring, item, absent))
        added += list(oracle_rows(scoring, items, absent))
        ceilings.write(task, stored + added)
        done.path.unlink(missing_ok=True)
    return len(added)


def renew(task: Task, items: int | None = None, device: str = "cpu", progress: bool = True) -> int:
    """Write `truth/ceiling.parquet` anew, nothing else of the truth, and return its rows; resumes where it was stopped.

    Of the first `items` of the task, or of all. Raises EarwitnessError where the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        scoring = open_scoring(Setting(task, items=items, device=device, cache=Path(cache)))
        chosen, _ = scoring.items()
        done = work.Work.of(task)
        rows = work.each(bars, CEILINGS, chosen, done, lambda item: _ceiling_rows(scoring, item))
        rows += list(oracle_rows(scoring, chosen, scoring.metrics))
        ceilings.write(task, rows)
        done.path.unlink(missing_ok=True)
    return len(rows)


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


def _ceiling_rows(
    scoring: PromptScoring, item: PromptItem, columns: Sequence[Column] | None = None
) -> list[dict[str, Any]]:
    """Rows of some of the card's metrics, or of all."""
    heard = scoring.originals.judge_answers(scoring.chunk_of(item.id), scoring.respondent)[item.id]
    searched = ceiling.Searched(scoring.respondent, item, heard)
    noises = ceiling.Noises.of(scoring, item)
    return ceiling.search(searched, scoring.metrics if columns is None else columns, noises)


def _roles(scoring: PromptScoring, words: Iterable[dict[str, Any]]) -> list[str]:
    """Role of the word of each row."""
    roles = {record.id: record.truth.roles for record in scoring.records if record.truth is not None}
    return [roles[row["item"]][row["word"]] for row in words]


def _acts_elsewhere(scoring: PromptScoring, row: dict[str, Any]) -> bool:
    """Whether the word of a row acts on other frames alone than those that its item asks for."""
    record = scoring.record(row["item"])
    span = None if record.truth is None else record.truth.intervals[row["word"]]
    if record.asked is None or span is None:
        return False
    return bool(span[1] <= record.asked[0] or record.asked[1] <= span[0])


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
