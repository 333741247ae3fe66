"""Captions of two things."""

from __future__ import annotations

from earwitness.datasets import PromptRecord
from earwitness.errors import EarwitnessError

CAPTIONS = ("a loud dog and a quiet bell", "a quiet engine", "a loud bell and a quiet dog", "a loud engine")


def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[PromptRecord]:
    """The first `items` captions."""
    if split != "test":
        raise EarwitnessError(f"elsewhere_captions has no split {split!r}; splits: test")
    return [PromptRecord(f"caption-{number}", text, text) for number, text in enumerate(CAPTIONS[:items])]
