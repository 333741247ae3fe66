"""Scoring of the prompt track: which responses its metrics read, asked of model and judges once, shared by all."""
