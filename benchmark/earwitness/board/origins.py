"""Where explanations come from: code that was run here, or elsewhere; the mark of those, and what is shown of whom."""

from __future__ import annotations

from typing import Any

from earwitness.errors import EarwitnessError, shortened
from earwitness.results.rows import UNVERIFIED

Record = dict[str, Any]
CODE, EXPLANATIONS = "code", "explanations"
SHOWN = (CODE, EXPLANATIONS)
"""Whom a reader may ask for alone."""
MARK = " ‡"
"""Behind the name of an entrant whose explanations were made elsewhere."""
NOTE = "‡ Explanations that were made elsewhere: no code was run here, and what they cost is unverified."


def chosen(entrants: list[Record], only: str) -> list[Record]:
    """The entrants of an origin, or all where none is named; raises EarwitnessError where there is no such origin."""
    if only and only not in SHOWN:
        raise EarwitnessError(f"--only {shortened(only)!r} is none of {', '.join(SHOWN)}")
    return [each for each in entrants if not only or each["made_elsewhere"] == (only == EXPLANATIONS)]


def marked(entrant: Record) -> str:
    """An entrant's name, with the mark where it has one."""
    return f"{entrant['entrant']}{MARK if entrant['made_elsewhere'] else ''}"


def cost(entrant: Record, name: str, digits: int) -> str:
    """A cost of an entrant's explanations; a word where nobody here saw it.

    >>> cost({"seconds": 0.25}, "seconds", 1), cost({"seconds": None}, "seconds", 1)
    ('0.2', 'unverified')
    """
    return UNVERIFIED if entrant[name] is None else f"{entrant[name]:.{digits}f}"


def notes(entrants: list[Record], shown: list[Record]) -> list[str]:
    """What a reader must know of the origins of those that are shown, and of those that are not."""
    found = [NOTE] if any(entrant["made_elsewhere"] for entrant in shown) else []
    if len(shown) < len(entrants):
        found.append(f"{len(shown)} of {len(entrants)} submissions are shown; places are among all of them.")
    return found
