"""What an entrant's answers say of it: numbers of each check, and what speaks against its explanations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness import tracks
from earwitness.harness.sanity.conditions import AGAIN, MOVED, TRAINED
from earwitness.results.rows import Status
from earwitness.results.sanity import Complexity, Sanity, SanityCheck
from earwitness.scoring.sanity import TrackSanity, entropy_share, gini, of_track
from earwitness.stats.paired import cluster_sums, sign_flip
from earwitness.stats.verdicts import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from earwitness.harness.explain import Explained
    from earwitness.harness.recipe import Run
    from earwitness.harness.sanity.conditions import Condition, Conditions
    from earwitness.tracks import Explanation

SMALLEST = 0.05
"""Fall of the agreement that counts: an explanation that holds a trace of the model changes, and is still of something
else."""
FEWEST = int(np.floor(np.log2(1 / LEVEL))) + 1
"""Clusters below which not even a fall on every item is told from chance."""

Answered = tuple["dict[str, Explained]", "dict[str, dict[str, NDArray[Any]]]"]
"""How explaining each item of a condition went, and the arrays of those that have an explanation."""


@dataclass
class Given:
    """What an entrant gave under each condition."""

    explanations: dict[str, dict[str, Explanation]] = field(default_factory=dict)
    """By condition and item."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why one is lacking, by item and condition."""

    @classmethod
    def of(cls, track: str, answers: Mapping[str, Answered]) -> Given:
        """The explanations among the answers, by condition."""
        kind, found = tracks.load(track).explanation, cls()
        for condition, (described, arrays) in answers.items():
            own = found.explanations.setdefault(condition, {})
            for item, explained in described.items():
                if explained.status == Status.OK:
                    own[item] = kind.build(arrays.get(item, {}))
                else:
                    found.failed[f"{item}, {condition}"] = explained.reason
        return found


def judge(run: Run, asked: Conditions, given: Given) -> Sanity:
    """What the answers say of the run's submission."""
    judging = _Judging(of_track(run.task.card.track), asked, given)
    checks = [judging.redrawn(condition) for condition in asked.conditions if condition.share is not None]
    checks.append(judging.moved())
    itself = judging.itself
    return Sanity(
        run=run.name,
        task=run.task.id,
        task_hash=run.task_hash,
        submission=run.submission.id,
        submission_hash=run.submission_hash,
        items=len(asked.items),
        layers=asked.layers,
        itself=_mean(itself) if itself else None,
        checks=checks,
        complexity=judging.complexity(next(c.name for c in asked.conditions if c.share == 1)),
        failed=given.failed,
        flags=[_flag(check) for check in checks if check.flagged],
    )


class _Judging:
    """Compares the answers of one entrant."""

    def __init__(self, sanity: TrackSanity, asked: Conditions, given: Given) -> None:
        self._sanity, self._asked, self._given = sanity, asked, given
        self._items = {item.id: item for item in asked.items}
        self.itself = self._agreements(AGAIN)
        """With itself under another explainer seed, by item."""

    def redrawn(self, condition: Condition) -> SanityCheck:
        """The check of one stage; the last decides, and those before it show where what is explained lies."""
        words = f"the parameters of {len(condition.redrawn)} of {self._asked.layers} layers are drawn anew"
        check = SanityCheck(check=words, share=condition.share, decides=condition.share == 1)
        return self._compared(check, self._agreements(condition.name))

    def moved(self) -> SanityCheck:
        """The check of the items whose parts were moved about."""
        check = SanityCheck(check=self._sanity.moved, decides=True)
        if not self._asked.moved:
            return check.model_copy(update={"skipped": next(iter(self._asked.unmoved.values()), "no item was moved")})
        found = self._compared(check, self._agreements(MOVED))
        back = self._agreements(MOVED, lambda item: self._asked.moved[item].back)
        known = [value for item, value in back.items() if self._asked.moved[item].back is not None]
        return found.model_copy(update={"back": float(np.mean(known)) if known else None})

    def complexity(self, redrawn: str) -> Complexity | None:
        """How spread out the explanations are, and whether they are more so with all layers drawn anew."""
        own, spoiled = self._spread(TRAINED, entropy_share), self._spread(redrawn, entropy_share)
        if not own:
            return None
        found = Complexity(entropy=_mean(own), gini=_mean(self._spread(TRAINED, gini)), items=len(own))
        rises = {item: spoiled[item] - own[item] for item in own if item in spoiled}
        if not rises:
            return found
        return found.model_copy(update={"redrawn": _mean(spoiled), "p": self._p(rises), "items": len(rises)})

    def _agreements(
        self, condition: str, back: Callable[[str], NDArray[np.int64] | None] = lambda _: None
    ) -> dict[str, float]:
        """How alike the explanation of each item is to that of the trained model."""
        trained, others = (self._given.explanations.get(name, {}) for name in (TRAINED, condition))
        found = {
            id: self._sanity.agreement(item, trained[id], others[id], back(id))
            for id, item in self._items.items()
            if id in trained and id in others
        }
        return {id: value for id, value in found.items() if not np.isnan(value)}

    def _spread(self, condition: str, measure: Callable[[NDArray[np.float64]], float]) -> dict[str, float]:
        """A measure of each explanation's magnitudes, averaged over what it tells apart; those without any left out."""
        found = {}
        for id, explanation in self._given.explanations.get(condition, {}).items():
            values = [measure(part) for part in self._sanity.magnitudes(self._items[id], explanation)]
            if not np.isnan(values).all():
                found[id] = float(np.nanmean(values))
        return found

    def _compared(self, check: SanityCheck, agreements: dict[str, float]) -> SanityCheck:
        """A check with its numbers, flagged where no fall was found."""
        shared = [item for item in agreements if item in self.itself]
        if not shared:
            return check.model_copy(update={"skipped": "no item has an explanation under both"})
        falls = {item: self.itself[item] - agreements[item] - SMALLEST for item in shared}
        p = self._p(falls)
        numbers = {
            "agreement": _mean({item: agreements[item] for item in shared}),
            "itself": _mean({item: self.itself[item] for item in shared}),
            "p": p,
            "items": len(shared),
            "flagged": check.decides and p is not None and p >= LEVEL,
            "skipped": "" if p is not None else f"too few items to tell: {len(shared)} of less than {FEWEST} clusters",
        }
        return check.model_copy(update=numbers)

    def _p(self, gains: dict[str, float]) -> float | None:
        """One-sided, that gains by item are above 0; None where there are too few clusters to tell."""
        names = [self._asked.clusters[item] for item in gains]
        clusters = np.unique(names, return_inverse=True)[1].reshape(-1)
        if len(set(names)) < FEWEST:
            return None
        sums = cluster_sums(np.array(list(gains.values()))[:, None], clusters.astype(np.int64))
        return float(sign_flip(sums).above[0])


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _flag(check: SanityCheck) -> str:
    """What a check says against explanations, in plain words."""
    return (
        f"They do not change when {check.check}: no drop was found (agreement {check.agreement:.2f}, with itself under "
        f"another seed {check.itself:.2f}, {check.items} items)"
    )
