"""Scoring of the speech track: what the model transcribes as cells are removed, asked once, shared by all metrics."""

from earwitness.scoring.speech.transcripts import Comparison

CHOICES = Comparison
"""What a card may choose in its table `[scoring]`."""
