"""The gate's settings: `[tool.earwitness.check]` of the user's pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import EarwitnessError
from earwitness.gate.rules import Mode, Rule, parse

FILE = "pyproject.toml"
TABLE = "tool.earwitness.check"
BASELINE = Path("baseline.parquet")
KEYS = {"against", "fail_if", "items", "mode", "submission", "task"}


@dataclass(frozen=True)
class Settings:
    """What a check compares with, and by which rules."""

    fail_if: tuple[Rule, ...] = ()
    against: Path = BASELINE
    """The baseline's file; a relative path in a pyproject is meant from its folder."""
    mode: Mode = Mode.PROVEN_WORSE
    tasks: tuple[str, ...] = ()
    """Of a check of branch against base: ids, or folders, which a pyproject means from its own."""
    submissions: tuple[str, ...] = ()
    items: int | None = None
    """First N items of a task; None for all."""


def read_settings(folder: Path) -> Settings:
    """The settings in the pyproject of a folder, or of the nearest folder above that has one; defaults without any.

    Raises EarwitnessError on an unknown key or a value of the wrong kind, RuleError on a rule that cannot be read.
    """
    for place in (folder.resolve(), *folder.resolve().parents):
        path = place / FILE
        if path.is_file():
            return _settings(path)
    return Settings(against=folder / BASELINE)


def _settings(path: Path) -> Settings:
    table = _table(path)
    unknown = sorted(set(table) - KEYS)
    if unknown:
        raise EarwitnessError(f"{path}: [{TABLE}] has an unknown key {unknown[0]!r}; keys: {', '.join(sorted(KEYS))}")
    against = table.get("against", str(BASELINE))
    if not isinstance(against, str) or not against:
        raise EarwitnessError(f"{path}: [{TABLE}] against is no path")
    items = table.get("items")
    if items is not None and (type(items) is not int or items < 1):
        raise EarwitnessError(f"{path}: [{TABLE}] items is no number of items")
    return Settings(
        tuple(parse(rule) for rule in _texts(path, table, "fail_if")),
        path.parent / against,
        _mode(path, table),
        _places(path, table, "task"),
        _places(path, table, "submission"),
        items,
    )


def _texts(path: Path, table: dict[str, Any], key: str) -> list[str]:
    """The texts of a key that holds one or a list of them."""
    found = table.get(key, [])
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise EarwitnessError(f"{path}: [{TABLE}] {key} is no text and no list of texts")
    return found


def _places(path: Path, table: dict[str, Any], key: str) -> tuple[str, ...]:
    """Ids, and folders as they lie beside the pyproject."""
    folders = ((name, path.parent / name) for name in _texts(path, table, key))
    return tuple(str(folder) if folder.is_dir() else name for name, folder in folders)


def _mode(path: Path, table: dict[str, Any]) -> Mode:
    mode = table.get("mode", Mode.PROVEN_WORSE)
    if mode not in list(Mode):
        raise EarwitnessError(f"{path}: [{TABLE}] mode {mode!r} is none of {', '.join(Mode)}")
    return Mode(mode)


def _table(path: Path) -> dict[str, Any]:
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EarwitnessError(f"{path} cannot be read: {error}") from error
    for key in TABLE.split("."):
        inner = table.get(key, {})
        if not isinstance(inner, dict):
            raise EarwitnessError(f"{path}: {key} of [{TABLE}] is no table")
        table = inner
    return table
