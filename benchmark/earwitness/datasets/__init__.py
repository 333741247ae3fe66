"""Datasets: one file each, found by a task card: `load(source, split=..., items=..., seed=..., **parameters)`.

A dataset of the prompt track yields `PromptRecord`s. Truth stays with scoring: no explainer sees it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptTruth:
    """What a made sound is known to be made of, by the words of its prompt."""

    roles: tuple[str, ...]
    """Role of each whitespace-separated word: class, loudness, order or filler."""
    intervals: tuple[tuple[float, float] | None, ...]
    """Seconds in which the event that a word speaks of sounds; None where it speaks of none."""
    labels: tuple[str, ...]
    """Classes that sound."""


@dataclass(frozen=True)
class PromptRecord:
    """One prompt to be explained, with its truth where it is known."""

    id: str
    prompt: str
    cluster: str
    """Records of one cluster are not independent."""
    truth: PromptTruth | None = None
