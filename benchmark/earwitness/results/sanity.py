"""Sanity of an entrant: what became of its explanations when model or input was spoiled, stored with its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from earwitness.results.documents import read_document
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from pathlib import Path

SANITY = "sanity.json"
"""File in a run's folder."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SanityCheck(_Part):
    """How much explanations are like those of the trained model once something was spoiled, by Spearman's correlation.

    Compared are two explainer seeds throughout, so that an explainer's own noise is in both numbers.
    """

    check: str
    """What was spoiled, in words that follow "when"."""
    share: float | None = None
    """Of the model's layers, from the output, whose parameters were drawn anew; None where the input was spoiled."""
    agreement: float | None = None
    """Mean over items; None where no item has both explanations."""
    itself: float | None = None
    """With its own under another explainer seed, nothing spoiled, on the same items."""
    back: float | None = None
    """Once the parts that were moved are brought back to their places; None where nothing was moved."""
    p: float | None = None
    """One-sided, of a paired sign-flip test on clusters, that the agreement falls; None where too few items tell."""
    items: int = 0
    decides: bool = False
    """Whether an explainer that does not change is flagged for it."""
    flagged: bool = False
    skipped: str = ""
    """Why there is no answer, or none that counts."""


class Complexity(_Part):
    """How spread out explanations are, means over items (Bhatt et al., arXiv 2005.00631)."""

    entropy: float
    """Of the normalised magnitudes, as a share of the largest there can be: 1 where all are equal."""
    gini: float
    """Of the magnitudes: 0 where all are equal."""
    redrawn: float | None = None
    """Entropy with all layers drawn anew: it rises where explanations are of what was learnt (Hedstrom et al., arXiv
    2401.06465)."""
    p: float | None = None
    """One-sided, of a paired sign-flip test on clusters, that it rises; None where too few items tell."""
    items: int = 0


class Sanity(_Part):
    """What is known of an entrant's explanations of a task."""

    run: str
    task: str
    task_hash: str
    """Of what is explained."""
    submission: str
    submission_hash: str
    items: int
    """That were looked at."""
    layers: int
    """Of the model."""
    itself: float | None
    """Agreement with itself under another explainer seed, mean over items."""
    checks: list[SanityCheck]
    complexity: Complexity | None
    failed: dict[str, str] = Field(default_factory=dict)
    """Reason by item and what was asked of it, where an explanation is lacking."""
    flags: list[str] = Field(default_factory=list)
    """What speaks against the explanations, one line each."""


def read_sanity(folder: Path) -> Sanity | None:
    """The sanity of the entrant of a run's folder, None where it was not looked at.

    Raises EarwitnessError where it cannot be read.
    """
    path = folder / SANITY
    if not path.is_file():
        return None
    return Sanity.model_validate(
        read_document(path, Sanity, "sanity of an entrant", "make it again with `earwitness audit`")
    )


def write_sanity(folder: Path, sanity: Sanity) -> None:
    """Store the sanity of an entrant in its run's folder; raises EarwitnessError where it cannot be written."""
    with moved_into_place(folder / SANITY) as temporary:
        temporary.write_text(sanity.model_dump_json(indent=1) + "\n", encoding="utf-8")
