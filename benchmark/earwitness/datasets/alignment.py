"""Whether an alignment of words and phonemes with a recording can be one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.datasets import SpeechTruth, Stretch

TOLERANCE = 1e-3
"""Seconds that two stretches may overlap, or that the last may end after the audio: aligners round to milliseconds."""


def check(truth: SpeechTruth, seconds: float) -> str:
    """What is wrong with the truth of a recording of `seconds` seconds, in one line; empty if nothing is.

    >>> from earwitness.datasets import SpeechTruth, Stretch
    >>> check(SpeechTruth((Stretch("go", 0.1, 0.4),), phonemes=(), source_of=(0,)), seconds=0.3)
    "the alignment's word 1 'go' (0.100-0.400 s) ends after the audio of 0.300 s; align it again"
    """
    problem = _numbers(truth) or _order("word", truth.words, seconds)
    problem = problem or _order("phoneme", [phoneme for word in truth.phonemes for phoneme in word], seconds)
    return f"the alignment's {problem}; align it again" if problem else ""


def _numbers(truth: SpeechTruth) -> str:
    """What does not match in number."""
    words = len(truth.words)
    if not words:
        return "words are none"
    if truth.phonemes and len(truth.phonemes) != words:
        return f"phonemes are of {len(truth.phonemes)} words, and its words are {words}"
    stray = [source for source in truth.source_of if not 0 <= source < words]
    if stray:
        return f"order of words names the spoken word {stray[0]}, and its words are 0 to {words - 1}"
    if truth.distinct and len(truth.distinct) != words:
        return f"telling phonemes are of {len(truth.distinct)} words, and its words are {words}"
    for index, telling in enumerate(truth.distinct):
        held = len(truth.phonemes[index]) if truth.phonemes else 0
        if any(not 0 <= phoneme < held for phoneme in telling):
            return f"word {index + 1} is told by its phoneme {max(telling)}, and has {held}"
    return ""


def _order(kind: str, stretches: Sequence[Stretch], seconds: float) -> str:
    """What is wrong with stretches of one kind that should follow each other."""
    before: Stretch | None = None
    for number, stretch in enumerate(stretches, start=1):
        name = f"{kind} {number} {stretch.text!r} ({stretch.start:.3f}-{stretch.stop:.3f} s)"
        if not math.isfinite(stretch.start + stretch.stop):
            return f"{name} has no finite start and stop"
        if stretch.stop <= stretch.start:
            return f"{name} does not stop after it starts"
        if stretch.start < -TOLERANCE:
            return f"{name} starts before the audio"
        if stretch.stop > seconds + TOLERANCE:
            return f"{name} ends after the audio of {seconds:.3f} s"
        if before is not None and stretch.start < before.stop - TOLERANCE:
            return f"{name} overlaps {before.text!r}, which stops at {before.stop:.3f} s"
        before = stretch
    return ""
