"""Oracles: explanations that say what the truth says: the ceilings of metrics that compare with truth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings
from earwitness.metrics.responses.prompt import NullWords, WordIntervals, WordRoles, WordShapley
from earwitness.results.rows import Status
from earwitness.scoring.columns import of_response
from earwitness.scoring.evaluate import value_of
from earwitness.scoring.prompt.batch import Batch
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


def oracle_rows(
    scoring: PromptScoring, items: Sequence[PromptItem], columns: Sequence[Column]
) -> Iterator[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: the values of the truth as an explanation, and of its reverse."""
    for column in of_response(columns, TRUTHS):
        for item in items:
            words = oracle(scoring, column.response, item)
            if words is None:
                continue
            owner, frames = scoring.model.words([item.prompt])[0], item.codes.shape[1]
            weights = np.where(owner >= 0, words[:, owner], 0.0)
            for kind, found in ((ceilings.BEST, weights), (ceilings.WORST, 1 - weights)):
                explanation = TokenMap(np.broadcast_to(found, (frames, len(owner))).copy())
                batch = Batch(scoring.context, [column], [(item, explanation)], [scoring.record(item.id)], {})
                seed = scoring.originals.seeds[0]
                value = value_of(column, seed, partial(batch.number, 0, column, seed))
                if value.status == Status.OK and value.value is not None:
                    yield ceilings.row(kind, column.id, item.id, value.generation_seed, value.value)


def oracle(scoring: PromptScoring, response: Response, item: PromptItem) -> NDArray[np.float64] | None:
    """Weights [F, W] or [1, W] of the words that say what the truth says; None where no truth is known."""
    data, stored = scoring.record(item.id).truth, scoring.stored.words.get(item.id)
    if isinstance(response, WordRoles | WordIntervals):
        if data is None:
            return None
        if isinstance(response, WordIntervals):
            return _sounding(data, item.codes.shape[1], scoring.model.frame_rate)
        roles = scoring.stored.causal_roles() if response.roles == "causal" else {"class"}
        return np.array([[role in roles for role in data.roles]], dtype=np.float64)
    if stored is None:
        return None
    if isinstance(response, NullWords):
        return (~stored.null).astype(np.float64)[None]
    ranks = np.unique(stored.shapley, return_inverse=True)[1].reshape(1, -1)
    return np.asarray(ranks / max(1, int(ranks.max())), dtype=np.float64)


def _sounding(truth: PromptTruth, frames: int, frame_rate: float) -> NDArray[np.float64]:
    """[F, W] 1 where a word's event sounds."""
    times = (np.arange(frames) + 0.5) / frame_rate
    columns = [
        np.zeros(frames, dtype=bool) if span is None else (times >= span[0]) & (times < span[1])
        for span in truth.intervals
    ]
    return np.stack(columns, axis=1).astype(np.float64)
