"""Certify a band task: the certificate of what its words do to the sound, and ceilings; item by item, resumable.

The truth says where the stem of an instrument sounds. It is the truth of the model where taking the instrument's word
from the prompt, under the same start and noise, takes the instrument from the sound, leaves the others in it, and
changes the sound more where the stem sounds than elsewhere; and where taking a filler changes nothing. All is counted
on fresh clips of the task's split, which are neither trained on nor scored.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring import ceilings, certificates, cross_fitting, work
from earwitness.authoring.band.ceiling import SEARCH
from earwitness.authoring.cross_fitting import cross_fitted
from earwitness.errors import EarwitnessError
from earwitness.metrics.causal import HEARD
from earwitness.scoring import Setting
from earwitness.scoring.band.originals import together
from earwitness.scoring.band.scoring import INSTRUMENT, OTHERS, PLACE, BandScoring, open_scoring
from earwitness.scoring.loading import adapter
from earwitness.stats.intervals import interval, mean_of
from earwitness.tracks.band import without_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from earwitness.task import Task
    from earwitness.tracks.band import BandItem

ATTENTION, FILLER = "attention", "filler"
FRESH = 60
"""Fresh clips that words are taken from."""
THRESHOLDS = {INSTRUMENT: 0.8, OTHERS: 0.8, PLACE: 0.8, ATTENTION: 0.8, FILLER: 0.95}
"""Share of words that must do what the data say, for a role to be certified."""
COSTLY = (INSTRUMENT, PLACE, ATTENTION)
"""Roles whose mean effect must be above 0, too."""
COUNTED = {
    INSTRUMENT: "without its word the judge no longer hears an instrument (presence below .5) that it heard with it",
    OTHERS: "without the word of another the judge still hears an instrument that it heard with it",
    PLACE: "taking a word changes the sound more in the cells where its instrument's stem sounds than in the others",
    ATTENTION: "with all attention to its word at 0 the judge no longer hears an instrument that it heard",
    FILLER: "without a filler the judge hears the same classes",
}
EFFECT = {
    INSTRUMENT: "drop of presence",
    OTHERS: "change of presence",
    PLACE: "change of loudness inside less outside",
    ATTENTION: "drop of presence",
    FILLER: "change of presence",
}
"""What the mean effect of a role is."""


def certify(task: Task, device: str = "cpu", progress: bool = True) -> None:
    """Write `truth/certificate.json` and `truth/ceiling.parquet` of a task.

    Raises EarwitnessError where the dataset is no made world, the card has no judge, or a file cannot be written.
    """
    if not task.card.judges:
        raise EarwitnessError(f"task {task.id}: its card has no judge, so nothing can be certified")
    if not adapter("datasets", task.card.dataset.adapter, task).says("MADE"):
        raise EarwitnessError(f"task {task.id}: its dataset is no made world, so nothing can be certified")
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        done = work.Work.of(task)
        fresh = open_scoring(
            Setting(task, items=FRESH, device=device, fresh=task.card.dataset.seed + 1, cache=Path(cache))
        )
        tried = work.each(bars, "certificate", fresh.items()[0], done, lambda item: trial(fresh, item))
        roles = {role: verdict(role, tried) for role in THRESHOLDS}
        certificates.write_certificate(task, {"task": task.seed_key, "roles": roles})
        # Opened again: what was just stored is part of what is scored.
        ceilings.write(task, cross_fitted(SEARCH, Setting(task, device=device, cache=Path(cache)), bars, done))
        done.path.unlink(missing_ok=True)


def renew(task: Task, items: int | None = None, device: str = "cpu", progress: bool = True) -> int:
    """Write `truth/ceiling.parquet` anew, as `cross_fitting.renew`."""
    return cross_fitting.renew(SEARCH, task, device, progress, items)


def trial(scoring: BandScoring, item: BandItem) -> list[dict[str, Any]]:
    """What each role's words did in one clip: whether what the data say, and by how much."""
    judge = scoring.setting.task.card.judges[0].name
    respondent, known = scoring.respondent, scoring.originals.pairs(scoring.chunk_of(item.id), scoring.model)[item.id]
    count, shape = len(item.instruments), (len(item.instruments), *item.mel.shape)
    before = respondent.presence(item, known.original[None], judge)[0]
    without = respondent.presence(item, known.without, judge)
    silenced = respondent.presence(item, respondent.deleted(item, range(count), np.ones(shape, dtype=bool)), judge)
    heard = before > HEARD
    pairs = heard[:, None] & heard[None] & ~np.eye(count, dtype=bool)
    left, cut = np.diag(without), np.diag(silenced)
    inside = np.array([own[true].mean() - own[~true].mean() for own, true in _parted(known.difference, known.truth)])
    return [
        _row(INSTRUMENT, left[heard] < HEARD, (before - left)[heard]),
        _row(OTHERS, without[pairs] > HEARD, np.abs(without - before)[pairs]),
        _row(PLACE, inside > 0, inside),
        _row(ATTENTION, cut[heard] < HEARD, (before - cut)[heard]),
        _row(FILLER, *_fillers(scoring, item, judge)),
    ]


def _fillers(scoring: BandScoring, item: BandItem, judge: str) -> tuple[ArrayLike, ArrayLike]:
    """Whether the judge hears the same classes without each filler, and the mean change of their presences."""
    known = scoring.originals.pairs(scoring.chunk_of(item.id), scoring.model)[item.id]
    owned = set(item.words[item.named.any(0)].tolist())
    fillers = [word for word in range(len(item.prompt.split())) if word not in owned]
    if not fillers:
        return [], []
    prompts = [without_word(item.prompt, word) for word in fillers]
    audio = together(scoring.model, item, prompts, [item.seed] * len(prompts)).audio.float().cpu().numpy()
    before = scoring.respondent.classes(known.original[None], judge)
    after = scoring.respondent.classes(audio, judge)
    return ((after > HEARD) == (before > HEARD)).all(1), np.abs(after - before).mean(1)


def _parted(difference: Any, truth: Any) -> list[tuple[Any, Any]]:
    """Differences and true cells of the instruments that sound in some cells but not in all."""
    return [(own, true) for own, true in zip(difference, truth, strict=True) if true.any() and not true.all()]


def _row(role: str, wins: ArrayLike, amounts: ArrayLike) -> dict[str, Any]:
    return {"role": role, "wins": np.asarray(wins).tolist(), "amounts": np.asarray(amounts).tolist()}


def verdict(role: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Whether a role is certified by what its words did in each clip, and why."""
    own = [row for row in rows if row["role"] == role and row["wins"]]
    wins = [bool(win) for row in own for win in row["wins"]]
    effect: dict[str, Any] = {"mean": None, "low": None, "high": None, "items": len(own)}
    if len(own) > 1:
        means = np.asarray([np.mean(row["amounts"]) for row in own])
        found = interval(mean_of(means, np.arange(len(means))), len(means))
        effect |= {"mean": float(found.value), "low": float(found.low), "high": float(found.high)}
    rate = float(np.mean(wins)) if wins else None
    reached = rate is not None and rate >= THRESHOLDS[role]
    above = effect["low"] is not None and effect["low"] > 0
    return {
        "certified": bool(reached and (above or role not in COSTLY)),
        "rate": rate,
        "threshold": THRESHOLDS[role],
        "reached": bool(reached),
        "words": len(wins),
        "counted": COUNTED[role],
        "effect": EFFECT[role],
        "mean_effect": effect,
    }
