"""Sounds of our own making, whose truth is known."""
