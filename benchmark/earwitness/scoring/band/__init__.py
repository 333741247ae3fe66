"""Scoring of the band track: stems, pairs with and without a word, and what a judge hears without its attention."""

from __future__ import annotations

from earwitness.scoring.band.scoring import open_scoring

__all__ = ["open_scoring"]
