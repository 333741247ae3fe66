"""Scoring of the concept track: probes, reconstruction, stability, and what steering moves in the sound."""
