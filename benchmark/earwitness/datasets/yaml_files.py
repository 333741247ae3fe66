"""YAML files of datasets: lists, mappings and the text of what stands in them, none of it taken for a number.

YAML takes 1:30 for the number 90, 010 for 8 and `no` for a truth value, and of two equal keys it keeps the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from earwitness.datasets.text_files import read_text
from earwitness.errors import EarwitnessError, short

if TYPE_CHECKING:
    from pathlib import Path

LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
NULLS = ("", "~", "null", "Null", "NULL")
"""Bare words that stand for nothing."""
LONGEST = 80
"""Characters of a value that a message repeats."""


@dataclass(frozen=True)
class Doubled:
    """Stands in place of the value of a key that a mapping has more than once."""

    first: int
    """Line of the first, from 1."""
    second: int

    def __str__(self) -> str:
        lines = f"lines {self.first} and" if self.first != self.second else "line"
        return f"written twice, in {lines} {self.second}"


def read_yaml(path: Path, advice: str) -> Any:
    """Lists, mappings and texts of a YAML file: None where nothing or null stands, `Doubled` where a key is doubled.

    What an alias names is the very object that its anchor is, so that a list may hold itself: nothing should walk
    deeper than the file's kind of content goes. Tags and merge keys mean nothing. Raises EarwitnessError, naming file
    and line, where the file cannot be read or is no YAML.
    """
    text = read_text(path, advice)
    try:
        return _value(yaml.compose(text, Loader=LOADER), {})
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        said = short(str(getattr(error, "problem", None) or error))
        raise EarwitnessError(f"{path}{where}: not YAML: {said}; {advice}") from error


def shown(value: Any) -> str:
    """A value of a YAML file as a message shows it, in a few words however much it holds.

    >>> [shown(value) for value in ("0:01", None, ["a"], {"a": "b"}, Doubled(2, 3))]
    ["'0:01'", 'nothing', 'a list', 'a mapping', 'written twice, in lines 2 and 3']
    """
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    if isinstance(value, str):
        return repr(short(value)[:LONGEST])
    return "nothing" if value is None else str(value)


def _value(node: yaml.Node | None, made: dict[yaml.Node, Any]) -> Any:
    """What a node stands for; `made` holds the lists and mappings that are there already, by their nodes."""
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.style and node.value in NULLS):
        return None
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if node in made:
        return made[node]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, made)
    items = made[node] = list[Any]()
    items.extend(_value(item, made) for item in node.value)
    return items


def _mapping(node: yaml.MappingNode, made: dict[yaml.Node, Any]) -> dict[str, Any]:
    lines = dict[str, int]()
    found = made[node] = dict[str, Any]()
    for key, item in node.value:
        # A key that is no text is none that anything here asks for.
        name = key.value if isinstance(key, yaml.ScalarNode) else shown(_value(key, made))
        line = key.start_mark.line + 1
        found[name] = Doubled(lines[name], line) if name in lines else _value(item, made)
        lines.setdefault(name, line)
    return found
