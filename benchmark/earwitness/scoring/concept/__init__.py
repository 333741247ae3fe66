"""Scoring of the concept track: probes, reconstruction, stability, and what steering moves in the sound."""

from __future__ import annotations

from earwitness.scoring.concept.scoring import open_scoring

__all__ = ["open_scoring"]
