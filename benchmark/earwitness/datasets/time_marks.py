"""CTM, NIST's time marks of words: a line a word, `utterance channel start duration word [confidence ...]`.

As sclite reads them (https://github.com/usnistgov/SCTK/blob/master/doc/infmts.htm) and Kaldi, NeMo and others write
them: columns are parted by white space, times are seconds from the start of the utterance's sound, lines that begin
with `;;` and blank lines say nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from earwitness.datasets import Stretch
from earwitness.datasets.cells import as_number
from earwitness.datasets.text_files import read_lines
from earwitness.errors import shortened

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 5
"""Columns that a line has at least."""


def read_ctm(path: Path) -> dict[str, list[Stretch] | str]:
    """Words of each utterance that a CTM file in UTF-8 marks, in the order of its lines; or what is wrong, in one line.

    A line that is none is the fault of its utterance alone, and so are lines of two channels. Raises EarwitnessError,
    naming file and line, where the file cannot be read.
    """
    found: dict[str, list[Stretch] | str] = {}
    channels: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, "align again"), start=1):
        cells = line.split()
        if not cells or line.lstrip().startswith(";;"):
            continue
        name, words = cells[0], found.setdefault(cells[0], [])
        fault = _fault(cells, channels)
        if isinstance(words, str):
            continue
        if fault:
            found[name] = f"{path}, line {number}: {fault}"
            continue
        start = float(cells[2])
        # Rounded, since the sum of two decimal numbers is none.
        words.append(Stretch(cells[4], start, round(start + float(cells[3]), 6)))
    return found


def _fault(cells: list[str], channels: dict[str, str]) -> str:
    """What is wrong with the cells of a line; `channels` holds the channel of each utterance so far."""
    if len(cells) < COLUMNS or not all(math.isfinite(as_number(cell)) for cell in cells[2:4]):
        return (
            "an utterance, a channel, a start and a duration in seconds and a word were expected; found "
            f"{shortened(' '.join(cells))!r}; align it again"
        )
    channel = channels.setdefault(cells[0], cells[1])
    if cells[1] != channel:
        return f"channel {shortened(cells[1])!r}, and the lines before are of {shortened(channel)!r}; keep one of them"
    return ""
