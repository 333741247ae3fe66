"""Explanations without code: items are handed out as files, and what comes back is read as a stranger's bytes."""
