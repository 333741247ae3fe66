"""Alignments of words as aligners write them: TextGrids long and short, JSON, CTM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Interval = tuple[float, float, str]
"""Start and end in seconds, and label."""
Tiers = Mapping[str, Sequence[Interval]]


def filled(intervals: Sequence[Interval], stop: float) -> list[Interval]:
    """Intervals with empty ones between them, as in the TextGrids of the Montreal Forced Aligner."""
    found: list[Interval] = []
    at = 0.0
    for start, end, label in [*intervals, (stop, stop, "")]:
        if start > at:
            found.append((at, start, ""))
        if end > start:
            found.append((start, end, label))
        at = end
    return found


def long_textgrid(tiers: Tiers, stop: float) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {stop} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for place, (name, intervals) in enumerate(tiers.items(), start=1):
        lines += [f"    item [{place}]:", '        class = "IntervalTier" ', f'        name = "{_quoted(name)}" ']
        lines += ["        xmin = 0 ", f"        xmax = {stop} ", f"        intervals: size = {len(intervals)} "]
        for number, (start, end, label) in enumerate(intervals, start=1):
            lines += [f"        intervals [{number}]:", f"            xmin = {start} ", f"            xmax = {end} "]
            lines += [f'            text = "{_quoted(label)}" ']
    return "\n".join(lines) + "\n"


def short_textgrid(tiers: Tiers, stop: float) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", f"{stop}", "<exists>", f"{len(tiers)}"]
    for name, intervals in tiers.items():
        lines += ['"IntervalTier"', f'"{_quoted(name)}"', "0", f"{stop}", f"{len(intervals)}"]
        for start, end, label in intervals:
            lines += [f"{start}", f"{end}", f'"{_quoted(label)}"']
    return "\n".join(lines) + "\n"


def mfa_json(tiers: Tiers, stop: float) -> str:
    written = {name: {"type": "interval", "entries": [list(each) for each in own]} for name, own in tiers.items()}
    return json.dumps({"start": 0, "end": stop, "tiers": written}, indent=4, ensure_ascii=False)


def ctm(utterance: str, words: Sequence[Interval]) -> str:
    return "".join(f"{utterance} 1 {start:.2f} {end - start:.2f} {label}\n" for start, end, label in words)


def _quoted(text: str) -> str:
    return text.replace('"', '""')
