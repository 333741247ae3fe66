"""Certify a speech task: training speech, the certificate of its intervals, ceilings; item by item, resumable.

The truth says when a word is said, and which earlier word one agrees with whose own sound is covered. It is the truth
of the model where removing that stretch of the spectrogram costs the word's token more likelihood than removing equally
long stretches elsewhere in the utterance does on average, and where removing that earlier word costs it more than
removing the others does; counted on fresh utterances of the task's split, which are neither trained on nor scored.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings, certificates, cross_fitting, work
from earwitness.authoring.cross_fitting import cross_fitted
from earwitness.authoring.speech.search import SEARCH, mean_filled
from earwitness.authoring.speech.training_speech import summarise, write_training
from earwitness.errors import EarwitnessError
from earwitness.metrics.responses.speech import PREFIX, WORD
from earwitness.scoring import Setting
from earwitness.scoring.loading import adapter
from earwitness.scoring.speech.scoring import SpeechScoring, open_scoring
from earwitness.stats.intervals import interval, mean_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import SpeechRecord
    from earwitness.task import Task
from earwitness.tracks.speech import SpeechItem, SpeechModel

TRAINING, HELD_OUT = 400, 50
"""Utterances of the train and the validation split that the summary of training speech is made of."""
FRESH = 60
"""Fresh utterances that the intervention is tried on."""
THRESHOLDS = {WORD: 0.95, PREFIX: 0.85}
"""Share of tokens that must lose more by what the truth names than by others on average, for it to be used."""
COUNTED = {
    WORD: "removing a word's interval costs its token more than equally long stretches elsewhere do on average",
    PREFIX: "removing the earlier word that a covered one agrees with costs it more than the others do on average",
}


def certify(task: Task, device: str = "cpu", progress: bool = True) -> None:
    """Write `truth/training.safetensors`, `truth/certificate.json` and `truth/ceiling.parquet` of a task.

    Raises EarwitnessError where the dataset is no made world with truth, or a file cannot be written.
    """
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        scoring = open_scoring(Setting(task, device=device, cache=Path(cache)))
        if any(record.truth is None for record in scoring.records):
            raise EarwitnessError(f"task {task.id}: its dataset has no truth about words, so nothing can be certified")
        write_training(task, summarise(*_spectrograms(task, scoring.model)))
        bar = bars.add_task("certificate", total=1)
        fresh = open_scoring(
            Setting(task, items=FRESH, device=device, fresh=task.card.dataset.seed + 1, cache=Path(cache))
        )
        roles = {role: verdict(role, *losses(fresh, role)) for role in THRESHOLDS}
        certificates.write_certificate(task, {"task": task.seed_key, "roles": roles})
        bars.advance(bar)
        # Opened again: what was just stored is part of what is scored.
        done = work.Work.of(task)
        ceilings.write(task, cross_fitted(SEARCH, Setting(task, device=device, cache=Path(cache)), bars, done))
        done.path.unlink(missing_ok=True)


def renew(task: Task, items: int | None = None, device: str = "cpu", progress: bool = True) -> int:
    """Write `truth/ceiling.parquet` anew, as `cross_fitting.renew`."""
    return cross_fitting.renew(SEARCH, task, device, progress, items)


def _spectrograms(task: Task, model: SpeechModel) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Spectrograms of training speech, and of held-out speech."""
    card = task.card.dataset
    load = adapter("datasets", card.adapter, task).entry

    def features(split: str, count: int) -> list[NDArray[np.float32]]:
        records: list[SpeechRecord] = load("", split=split, items=count, seed=card.seed, **card.parameters)
        return [model.features(record.audio(model.sample_rate)) for record in records]

    return features("train", TRAINING), features("validation", HELD_OUT)


def losses(scoring: SpeechScoring, role: str) -> tuple[list[float], list[bool]]:
    """Nats by which tokens lose more through what the truth names than through another of its kind, mean of each
    utterance; and for each token whether it does."""
    gaps = _word_gaps if role == WORD else _prefix_gaps
    means, wins = [], []
    for item in scoring.items()[0]:
        found = gaps(scoring, item)
        if found:
            means.append(float(np.mean(found)))
            wins += [gap > 0 for gap in found]
    return means, wins


def _word_gaps(scoring: SpeechScoring, item: SpeechItem) -> list[float]:
    """Nats of each token that its own frames cost more than the mean of as many frames at other places."""
    known, found = scoring.inside(item, WORD), list[float]()
    if known is None:
        return found
    for token in np.flatnonzero(known.any(1)).tolist():
        others = elsewhere(known[token])
        if len(others):
            masks = np.concatenate([known[token][None], others])
            found.append(_gap(scoring.respondent.probabilities(item, mean_filled(item, masks))[:, token]))
    return found


def _prefix_gaps(scoring: SpeechScoring, item: SpeechItem) -> list[float]:
    """Nats of each token that the earlier word which tells it costs more than the mean of the other earlier words."""
    known, found = scoring.tellers(item), list[float]()
    if known is None:
        return found
    for token in np.flatnonzero(known.any(1)).tolist():
        own = known[token, :token]
        words = item.words[:token]
        others = [words == word for word in np.unique(words[~own])]
        if others:
            masks = np.ones((1 + len(others), len(item.tokens)), dtype=np.float32)
            masks[:, :token] = ~np.stack([own, *others])
            found.append(_gap(scoring.respondent.prefix_probabilities(item, masks)[:, token]))
    return found


def _gap(probabilities: NDArray[np.float64]) -> float:
    """Nats that a token loses by the first of several removals more than by the mean of the others."""
    nats = -np.log(np.maximum(probabilities, 1e-300))
    return float(nats[0] - nats[1:].mean())


def elsewhere(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Masks [n, T] of the same pattern [T] moved in time to where it does not touch its own span; n may be 0.

    >>> elsewhere(np.array([False, True, False, False])).astype(int).tolist()
    [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    """
    where = np.flatnonzero(own)
    start, span = int(where[0]), int(where[-1] - where[0] + 1)
    pattern = own[start : start + span]
    starts = [s for s in range(len(own) - span + 1) if s + span <= start or s >= start + span]
    moved = np.zeros((len(starts), len(own)), dtype=bool)
    for mask, s in zip(moved, starts, strict=True):
        mask[s : s + span] = pattern
    return moved


def verdict(role: str, means: Sequence[float], wins: Sequence[bool]) -> dict[str, Any]:
    """Whether the truth of a role is certified, and why."""
    rate = float(np.mean(wins)) if wins else None
    cost: dict[str, Any] = {"mean": None, "low": None, "high": None, "items": len(means)}
    if len(means) > 1:
        values = np.asarray(means)
        found = interval(mean_of(values, np.arange(len(values))), len(values))
        cost |= {"mean": float(found.value), "low": float(found.low), "high": float(found.high)}
    reached = rate is not None and rate >= THRESHOLDS[role]
    return {
        "certified": bool(reached and cost["low"] is not None and cost["low"] > 0),
        "rate": rate,
        "threshold": THRESHOLDS[role],
        "reached": bool(reached),
        "counted": COUNTED[role],
        "cost_nats": cost,
    }
