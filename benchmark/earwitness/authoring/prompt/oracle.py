"""Oracles: explanations that say what the truth says: the ceilings of metrics that compare with truth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings
from earwitness.results.rows import Status
from earwitness.scoring.evaluate import value_of
from earwitness.scoring.prompt.readings import Source
from earwitness.scoring.prompt.unit import Unit
from earwitness.tracks.prompt import TokenMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import PromptTruth
    from earwitness.scoring.prompt.readings import Reading
    from earwitness.scoring.prompt.scoring import PromptScoring
    from earwitness.tracks.prompt import PromptItem

TRUTHS = {Source.ROLES, Source.INTERVALS, Source.SHAPLEY, Source.NULL}


def oracle_rows(scoring: PromptScoring, items: Sequence[PromptItem]) -> Iterator[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: the values of the truth as an explanation, and of its reverse."""
    for reading in scoring.readings:
        if reading.source not in TRUTHS:
            continue
        for item in items:
            words = oracle(scoring, reading, item)
            if words is None:
                continue
            owner, frames = scoring.model.words([item.prompt])[0], item.codes.shape[1]
            weights = np.where(owner >= 0, words[:, owner], 0.0)
            for kind, found in ((ceilings.BEST, weights), (ceilings.WORST, 1 - weights)):
                explanation = TokenMap(np.broadcast_to(found, (frames, len(owner))).copy())
                unit = Unit(scoring.context, [reading], [(item, explanation)], [scoring.record(item.id)], {})
                seed = scoring.originals.seeds[0]
                value = value_of(reading, seed, partial(unit.number, 0, reading, seed))
                if value.status == Status.OK and value.value is not None:
                    yield ceilings.row(kind, reading.id, item.id, value.generation_seed, value.value)


def oracle(scoring: PromptScoring, reading: Reading, item: PromptItem) -> NDArray[np.float64] | None:
    """Weights [F, W] or [1, W] of the words that say what the truth says; None where no truth is known."""
    data, stored = scoring.record(item.id).truth, scoring.stored.words.get(item.id)
    if reading.source in {Source.ROLES, Source.INTERVALS}:
        if data is None:
            return None
        if reading.source == Source.INTERVALS:
            return _sounding(data, item.codes.shape[1], scoring.model.frame_rate)
        roles = scoring.stored.causal_roles() if reading.roles == "causal" else {"class"}
        return np.array([[role in roles for role in data.roles]], dtype=np.float64)
    if stored is None:
        return None
    if reading.source == Source.NULL:
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
