"""One class name, one class: a reader who looks a name up in the library finds one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "benchmark" / "earwitness"


def public_classes(source: str) -> list[str]:
    """Names of the classes at the top of a module, without those that are private to it."""
    return [
        node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def repeated(sources: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Modules by the name of a class that several of them define."""
    places: dict[str, list[str]] = defaultdict(list)
    for module, source in sources:
        for name in public_classes(source):
            places[name].append(module)
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def test_no_two_classes_of_the_library_have_one_name() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert paths
    assert repeated((str(path.relative_to(PACKAGE)), path.read_text(encoding="utf-8")) for path in paths) == {}


def test_a_planted_second_class_of_one_name_is_seen() -> None:
    planted = [
        ("a.py", "class Row:\n    class Config: ...\nclass _Shape: ...\n"),
        ("b.py", "class Row: ...\nclass Column:\n    class Config: ...\nclass _Shape: ...\n"),
    ]
    assert repeated(planted) == {"Row": ["a.py", "b.py"]}
