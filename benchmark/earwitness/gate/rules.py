"""The grammar of a rule: `[TASKS:] METRICS worse by >MARGIN[%] at p<LEVEL`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from earwitness.errors import EarwitnessError
from earwitness.metrics import name_of

GRAMMAR = "'[TASKS:] METRICS worse by >MARGIN[%] at p<LEVEL'"
NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NAME = r"[\w.*?@+\-\[\]!]+"
PARTS = (
    ("name", rf"{NAME}", "a name or pattern of metrics"),
    ("colon", rf":\s*(?P<metrics>{NAME})", "a name or pattern of metrics"),
    ("worse", r"worse\b", "'worse'"),
    ("by", r"by\b", "'by'"),
    ("more", r">", "'>'"),
    ("margin", NUMBER, "a number"),
    ("percent", r"%", "'%'"),
    ("at", r"at\b", "'at'"),
    ("p", r"p\b", "'p'"),
    ("less", r"<", "'<'"),
    ("level", NUMBER, "a number"),
)
OPTIONAL = {"colon", "percent"}


class RuleError(EarwitnessError):
    """A rule that cannot be read, or that asks for what there is not."""


class Mode(StrEnum):
    """What must be proven."""

    PROVEN_WORSE = "proven-worse"
    """A regression is a loss proven larger than the margin: for pull requests."""
    NON_INFERIOR = "non-inferior"
    """A pass is a loss proven smaller than the margin: for releases."""


@dataclass(frozen=True)
class Rule:
    """How much worse which metrics may get on which tasks."""

    text: str
    metrics: str
    """Pattern of metric ids (`fid_f@top30`, `deletion_*`); one without `@` matches a metric under all parameters."""
    tasks: str
    """Pattern of task ids; `*` where the rule names none."""
    margin: float
    """A share (0.02 for 2%) where relative, else in the metric's own units."""
    relative: bool
    """Whether the margin is a share of the baseline's mean."""
    level: float
    """One-sided level of significance, shared by all comparisons of a check (Holm)."""

    def matches(self, task: str, metric: str) -> bool:
        """Whether the rule is about this metric on this task.

        >>> parse("fid_f worse by >2% at p<0.05").matches("micro_prompt", "fid_f@top30")
        True
        >>> parse("speech*: fid_f worse by >2% at p<0.05").matches("micro_prompt", "fid_f@top30")
        False
        """
        return fnmatchcase(task, self.tasks) and self.matches_metric(metric)

    def matches_metric(self, metric: str) -> bool:
        """Whether the rule is about this metric on any task."""
        name = metric if "@" in self.metrics else name_of(metric)
        return fnmatchcase(name, self.metrics)


def parse(text: str) -> Rule:
    """The rule that a text means.

    Raises RuleError with the place marked by `>>>` where it cannot be read, and where a margin is 0, above 100 %, or
    the level is not between 0 and 0.5.

    >>> rule = parse("micro_*: deletion_* worse by >0.01 at p<0.01")
    >>> (rule.tasks, rule.metrics, rule.margin, rule.relative, rule.level)
    ('micro_*', 'deletion_*', 0.01, False, 0.01)
    """
    found: dict[str, re.Match[str]] = {}
    place = _skip(text, 0)
    for name, pattern, meant in PARTS:
        match = re.compile(pattern).match(text, place)
        if match is None:
            if name in OPTIONAL:
                continue
            raise _unreadable(text, place, f"expected {meant}")
        found[name] = match
        place = _skip(text, match.end())
    if place < len(text):
        raise _unreadable(text, place, "expected the end")
    tasks, metrics = ("*", found["name"].group())
    if "colon" in found:
        tasks, metrics = metrics, found["colon"].group("metrics")
    relative = "percent" in found
    margin = float(found["margin"].group()) / (100 if relative else 1)
    level = float(found["level"].group())
    if margin == 0:
        raise _unreadable(
            text, found["margin"].start(), "a margin of 0 makes every chance drop a loss; give one above 0"
        )
    if relative and margin > 1:
        raise _unreadable(text, found["margin"].start(), "a margin above 100% cannot be exceeded")
    if not 0 < level < 0.5:
        raise _unreadable(text, found["level"].start(), "a level lies between 0 and 0.5")
    return Rule(text.strip(), metrics, tasks, margin, relative, level)


def _skip(text: str, place: int) -> int:
    """The first place from here that is no space."""
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _unreadable(text: str, place: int, complaint: str) -> RuleError:
    marked = f"{text[:place]}>>>{text[place:]}"
    return RuleError(f"rule {marked!r}: {complaint} at >>>; a rule reads {GRAMMAR}")
