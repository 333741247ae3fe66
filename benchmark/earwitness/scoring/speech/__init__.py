"""Scoring of the speech track: what the model transcribes as cells are removed, asked once, shared by all metrics."""
