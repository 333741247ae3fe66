"""Numbers, metrics and plain text as the pages write them."""

from __future__ import annotations

import re
from typing import Any

Record = dict[str, Any]
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus, or a dash."""
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def unsigned(value: float | None, digits: int = 2) -> float | None:
    """A number for a column of so many decimals: 0 where it would be drawn as minus 0, else as it is.

    >>> unsigned(-0.004), unsigned(-0.006), unsigned(None)
    (0.0, -0.006, None)
    """
    return 0.0 if value is not None and round(value, digits) == 0 and value < 0 else value


def rounded(count: float | None, digits: int = 2) -> int | None:
    """A count of which so many digits are told.

    >>> rounded(32131.0), rounded(89.0), rounded(None)
    (32000, 89, None)
    """
    return None if count is None else int(float(f"{count:.{digits}g}"))


def with_interval(record: Record | None, name: str, prefix: str) -> str:
    """A value with its interval."""
    if record is None or record[name] is None:
        return "–"
    low, high = record[f"{prefix}low"], record[f"{prefix}high"]
    return number(record[name]) if low is None else f"{number(record[name])} [{number(low)}, {number(high)}]"


def rank_interval(record: Record) -> str:
    """Best and worst rank in the interval."""
    if record["rank"] is None:
        return "–"
    low, high = record["rank_low"], record["rank_high"]
    return str(low) if low == high else f"{low}–{high}"


def place(record: Record) -> str:
    """The place and the ranks that are not ruled out."""
    if record["rank"] is None:
        return "–"
    interval = rank_interval(record)
    return f"{record['rank']}" + (f" ({interval})" if "–" in interval else "")


def metric_label(metric: Record) -> str:
    """Id, direction, and whether it says anything on the task."""
    marks = ["headline"] if metric["headline"] else []
    if metric["informative"] is False:
        marks.append("uninformative here")
    return f"{metric['metric']} {ARROWS[metric['direction']]}" + (f" ({', '.join(marks)})" if marks else "")


def explained(metric: Record) -> str:
    """What a metric is and which way it points, for who meets it first: its own sentence without the formula.

    >>> explained({"summary": "Loss of trust: p0[c] - p1[c].", "direction": "lower", "informative": True})
    'Loss of trust. Lower is more faithful.'
    >>> explained({"summary": "`probe_r2` of the best.", "direction": "higher", "informative": True})
    'probe_r2 of the best. Higher is more faithful.'
    """
    said, _, rest = metric["summary"].partition(": ")
    text = f"{said}." if any(sign in rest for sign in ("[", "||", " = ")) else metric["summary"]
    points = {"higher": " Higher is more faithful.", "lower": " Lower is more faithful."}
    dull = " Uninformative on this task: it enters no rank." if metric["informative"] is False else ""
    return text.replace("`", "") + points.get(metric["direction"], " A description, not a merit.") + dull


def plural(count: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "item"), plural(2, "item")
    ('1 item', '2 items')
    """
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def as_section(text: str) -> str:
    r"""A page of somebody else's in Markdown as a part of ours.

    It has no pictures, which would be fetched from wherever it says, and its headings are a level lower, since a page
    has one title; what is fenced as code stays.

    >>> as_section("![seen](https://example.org/a.png) and [a link](https://example.org)")
    '[seen](https://example.org/a.png) and [a link](https://example.org)'
    >>> as_section("# Mine\n~~~\n~~~sh\n# not a heading\n~~~")
    '## Mine\n~~~\n~~~sh\n# not a heading\n~~~'
    """
    fence, lines = "", []
    for line in re.sub(r"!(?=\[)", "", text).splitlines():
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if mark and not fence:
            fence = mark.group(1)
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        lines.append(f"#{line}" if not fence and re.match(r"#{1,5}\s", line) else line)
    return "\n".join(lines)


def inert(text: str) -> str:
    r"""Somebody else's line of text, of which Markdown makes neither a link, a picture, code nor a formula.

    >>> inert("see [here](https://example.org): text-to-audio")
    'see \\[here\\](https://example.org): text-to-audio'
    """
    return re.sub(r"([\\`*\[\]<>$])", r"\\\1", text)


def plain(text: str) -> str:
    r"""Text of which Markdown makes nothing else.

    >>> plain("*a*")
    '\\*a\\*'
    """
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|:$~<>&])", r"\\\1", text)
