"""Tasks, a folder each."""
