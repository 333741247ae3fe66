"""Oracles: explanations that say what the truth says: the ceilings of metrics that compare with truth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings
from earwitness.authoring.prompt.choices import token_map, written
from earwitness.metrics.responses.prompt import NullWords, WordIntervals, WordRoles, WordShapley
from earwitness.results.rows import Status
from earwitness.scoring.columns import of_response
from earwitness.scoring.evaluate import value_of
from earwitness.scoring.prompt.batch import Batch
from earwitness.scoring.prompt.truth import asked_words
from earwitness.tracks.prompt import TokenMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import PromptTruth
    from earwitness.metrics import Response
    from earwitness.scoring.columns import Column
    from earwitness.scoring.prompt.scoring import PromptScoring
    from earwitness.tracks.prompt import PromptItem

TRUTHS = (WordRoles, WordIntervals, WordShapley, NullWords)


SOUNDING, SILENT = "sounding", "silent"
"""Choices that mark words while their events sound, and while they do not."""


def oracle_rows(
    scoring: PromptScoring, items: Sequence[PromptItem], columns: Sequence[Column]
) -> Iterator[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: the values of the truth as an explanation, and of its reverse."""
    seed = scoring.originals.seeds[0]
    for column in of_response(columns, TRUTHS):
        for item in items:
            owner = scoring.model.words([item.prompt])[0]
            for kind, choice in choices(scoring, column.response, item).items():
                explanation = in_time(scoring, item, choice) or token_map(item, owner, choice)
                batch = Batch(scoring.context, [column], [(item, explanation)], [scoring.record(item.id)], {})
                value = value_of(column, seed, partial(batch.number, 0, column, seed))
                if value.status == Status.OK and value.value is not None:
                    yield ceilings.row(kind, column.id, item.id, value.generation_seed, value.value, choice)


def choices(scoring: PromptScoring, response: Response, item: PromptItem) -> dict[str, str]:
    """By kind, what says what the truth says, and its reverse; nothing where no truth is known."""
    data, stored = scoring.record(item.id).truth, scoring.stored.words.get(item.id)
    if isinstance(response, WordIntervals):
        return {} if data is None else {ceilings.BEST: SOUNDING, ceilings.WORST: SILENT}
    if isinstance(response, WordRoles):
        if data is None:
            return {}
        roles = scoring.stored.causal_roles() if response.roles == "causal" else {"class"}
        named = np.array([role in roles for role in data.roles])
        weights = (named & asked_words(data, item, scoring.model.frame_rate)).astype(np.float64)
    elif stored is None:
        return {}
    elif isinstance(response, NullWords):
        weights = (~stored.null).astype(np.float64)
    else:
        ranks = np.unique(stored.shapley, return_inverse=True)[1].reshape(-1)
        weights = ranks / max(1, int(ranks.max()))
    return {ceilings.BEST: written(weights), ceilings.WORST: written(1 - weights)}


def in_time(scoring: PromptScoring, item: PromptItem, choice: str) -> TokenMap | None:
    """The map of a choice that marks words by when their events sound; None if it is none of these."""
    truth = scoring.record(item.id).truth
    if choice not in {SOUNDING, SILENT} or truth is None:
        return None
    owner, frames = scoring.model.words([item.prompt])[0], item.codes.shape[1]
    words = _sounding(truth, frames, scoring.model.frame_rate)
    marked = words if choice == SOUNDING else 1 - words
    return TokenMap(np.where(owner >= 0, marked[:, owner], 0.0))


def _sounding(truth: PromptTruth, frames: int, frame_rate: float) -> NDArray[np.float64]:
    """[F, W] 1 where a word's event sounds."""
    times = (np.arange(frames) + 0.5) / frame_rate
    columns = [
        np.zeros(frames, dtype=bool) if span is None else (times >= span[0]) & (times < span[1])
        for span in truth.intervals
    ]
    return np.stack(columns, axis=1).astype(np.float64)
