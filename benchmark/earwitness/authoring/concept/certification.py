"""Certify a concept task: which factors can be heard in the decoded sound, and ceilings; item by item, resumable.

A factor is what its name says where the independent estimator recovers it from the model's own reconstruction of
held-out clips: steering it can be measured only then.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.authoring import ceilings, certificates, cross_fitting, work
from earwitness.authoring.concept.ceiling import SEARCH
from earwitness.authoring.cross_fitting import cross_fitted
from earwitness.errors import EarwitnessError
from earwitness.scoring import Setting
from earwitness.scoring.concept.scoring import ConceptScoring, open_scoring
from earwitness.scoring.loading import adapter
from earwitness.stats.intervals import interval, mean_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.task import Task
    from earwitness.tracks.concept import ConceptItem

FRESH = 6
"""Fresh items whose held-out clips are decoded."""
HEARD = 20
"""Clips of each of them."""
THRESHOLD = 0.8
"""Rank correlation of a factor with what its estimator hears in decoded clips, at least."""
COUNTED = "rank correlation of the factor with what its independent estimator hears in decoded held-out clips"


def certify(task: Task, device: str = "cpu", progress: bool = True) -> None:
    """Write `truth/certificate.json` and `truth/ceiling.parquet` of a task.

    Raises EarwitnessError where the dataset is no made world, or a file cannot be written.
    """
    if not adapter("datasets", task.card.dataset.adapter, task).says("MADE"):
        raise EarwitnessError(f"task {task.id}: its dataset is no made world, so nothing can be certified")
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        done = work.Work.of(task)
        fresh = open_scoring(
            Setting(task, items=FRESH, device=device, fresh=task.card.dataset.seed + 1, cache=Path(cache))
        )
        heard = work.each(bars, "certificate", fresh.items()[0], done, lambda item: trial(fresh, item))
        names = sorted({row["factor"] for row in heard})
        roles = {name: verdict([row["correlation"] for row in heard if row["factor"] == name]) for name in names}
        certificates.write_certificate(task, {"task": task.seed_key, "roles": roles})
        ceilings.write(task, cross_fitted(SEARCH, Setting(task, device=device, cache=Path(cache)), bars, done))
        done.path.unlink(missing_ok=True)


def renew(task: Task, items: int | None = None, device: str = "cpu", progress: bool = True) -> int:
    """Write `truth/ceiling.parquet` anew, as `cross_fitting.renew`."""
    return cross_fitting.renew(SEARCH, task, device, progress, items)


def trial(scoring: ConceptScoring, item: ConceptItem) -> list[dict[str, Any]]:
    """How well each factor's estimator recovers it from decoded clips of one item."""
    from scipy.stats import spearmanr

    known = scoring.originals.held_out(scoring.chunk_of(item.id), scoring.model)[item.id]
    chosen = slice(0, HEARD)
    with torch.inference_mode():
        audio = scoring.model.decode(torch.from_numpy(known.latents[chosen]).to(scoring.model.device))
    clips, rate = audio.float().cpu().numpy(), scoring.model.sample_rate
    rows = []
    for column, name in enumerate(known.names):
        if name not in scoring.steering.estimators:
            continue
        found = np.array([scoring.steering.estimators[name](clip, rate) for clip in clips])
        told = np.isfinite(found)
        right = known.test[chosen, column]
        varies = told.sum() > 2 and np.ptp(found[told]) > 0 and np.ptp(right[told]) > 0
        # Clips in which nothing is heard count as much as the share of them takes away.
        value = float(spearmanr(found[told], right[told])[0]) * float(told.mean()) if varies else 0.0
        rows.append({"factor": name, "correlation": value})
    return rows


def verdict(correlations: Sequence[float]) -> dict[str, Any]:
    """Whether a factor is certified by its correlations in each item, and why."""
    values = np.asarray(correlations, dtype=np.float64)
    found: dict[str, Any] = {"mean": float(values.mean()), "low": None, "high": None, "items": len(values)}
    if len(values) > 1:
        spread = interval(mean_of(values, np.arange(len(values))), len(values))
        found |= {"low": float(spread.low), "high": float(spread.high)}
    reached = found["mean"] >= THRESHOLD
    return {"certified": bool(reached), "threshold": THRESHOLD, "counted": COUNTED, "correlation": found}
