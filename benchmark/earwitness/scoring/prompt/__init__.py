"""Scoring of the prompt track: which responses its metrics read, asked of model and judges once, shared by all."""

from __future__ import annotations

from earwitness.scoring.prompt.scoring import open_scoring

__all__ = ["open_scoring"]
