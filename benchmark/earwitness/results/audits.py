"""Audits: what `earwitness audit` found out about the metrics of a task, stored with it and read by the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from earwitness.results.documents import read_document
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from pathlib import Path

AUDIT = "audit.json"
"""File in the folder of a task's truth."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Gap(_Part):
    """Paired gain of the ceiling over the random explainer, positive where it is more faithful."""

    mean: float
    low: float | None = None
    high: float | None = None
    p: float
    """One-sided, of a paired sign-flip test on clusters."""
    items: int
    clusters: int


class Ladder(_Part):
    """How a metric falls along six degraded forms of its ceiling, from the ceiling to noise: Spearman's correlation
    of its value with what is left of the ceiling, 1 where it falls at every step.
    """

    means: float | None
    """Of the means over items; None where they are all equal."""
    items: float | None
    """Mean over items of each item's own."""
    low: float | None = None
    high: float | None = None


class Shares(_Part):
    """Shares of an item's variance that are due to the item, to generation noise and to the explainer's seed."""

    item: float
    generation: float | None = None
    """None where the metric has one generation seed."""
    explainer: float | None = None


class Against(_Part):
    """An agreement with the interval in which it lies by chance."""

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int = 0


class Gamed(_Part):
    """What an explanation that knows nothing gets, on the way from random (0) to the ceiling (1)."""

    calibrated: float | None
    p: float | None = None
    """One-sided, that it is ahead of the random explainer."""


class MetricAudit(_Part):
    """What is known of one metric of a task."""

    informative: bool
    gap: Gap | None = None
    ladder: Ladder | None = None
    reliability: float | None = None
    """Of the mean over seeds, between 0 and 1: share of its variance over items that is not seeds' (test-retest)."""
    shares: Shares | None = None
    truth: Against | None = None
    """Agreement with model truth."""
    survival: dict[str, Against] = Field(default_factory=dict)
    """Kendall's tau with the same metric under another judge, operator or noise, by what was changed."""
    gaming: dict[str, Gamed] = Field(default_factory=dict)
    """By the explanation that knows nothing."""
    flags: list[str] = Field(default_factory=list)
    """What speaks against the metric, one line each."""


class ScoreWeights(_Part):
    """What each headline metric weighs in the task's score, so that none makes it alone."""

    headline: dict[str, float]
    """By the metric's id; they add up to 1."""
    entrants: list[str]
    """Registered submissions by whose spread they were found."""
    items: int


class Audit(_Part):
    """What is known of the metrics of a task."""

    task: str
    data_hash: str
    """Of the task's data: an audit of other weights or other items says nothing of these."""
    items: int
    metrics: dict[str, MetricAudit]
    """By the metric's id."""
    weights: ScoreWeights | None = None
    """None where all headline metrics weigh alike."""


def read_audit(folder: Path) -> Audit | None:
    """The audit in a folder of truth, None where there is none; raises EarwitnessError where it cannot be read."""
    path = folder / AUDIT
    if not path.is_file():
        return None
    return Audit.model_validate(read_document(path, Audit, "audit of a task", "make it again with `earwitness audit`"))


def write_audit(folder: Path, audit: Audit) -> None:
    """Store an audit in a folder of truth; raises EarwitnessError where it cannot be written."""
    with moved_into_place(folder / AUDIT) as temporary:
        temporary.write_text(audit.model_dump_json(indent=1) + "\n", encoding="utf-8")
