"""Doctests of docstrings as blocks of code: in Markdown, a line that begins with `>` would be a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^>>> (?:.*\n)+?(?=\n|\Z)", re.MULTILINE)


def fenced(text: str) -> str:
    """A docstring's text with each doctest, up to the next empty line, in a fence."""
    return DOCTEST.sub(lambda test: f"```pycon\n{test[0].rstrip()}\n```\n", f"{text}\n").rstrip("\n")


class Doctests(griffe.Extension):
    """Every docstring that is read passes through `fenced`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once an object and its members were read."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
