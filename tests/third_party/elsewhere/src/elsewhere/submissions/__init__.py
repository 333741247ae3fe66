"""Submissions, a folder each."""
