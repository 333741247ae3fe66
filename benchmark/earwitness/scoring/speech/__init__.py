"""Scoring of the speech track: what the model transcribes as cells are removed, asked once, shared by all metrics."""

from __future__ import annotations

from earwitness.scoring.speech.scoring import open_scoring

__all__ = ["open_scoring"]
