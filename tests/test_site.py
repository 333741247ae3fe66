"""The site of `make docs`, as far as it is seen without building it: pages and menu, links to code, doctests."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from earwitness import metrics

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", ROOT / "docs" / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = load("hooks")


def leaves(entries: list[Any]) -> list[str]:
    """Paths in a menu."""
    values = [next(iter(entry.values())) if isinstance(entry, dict) else entry for entry in entries]
    return [path for value in values for path in (leaves(value) if isinstance(value, list) else [value])]


def test_every_page_stands_in_the_menu_once_and_every_entry_is_a_page() -> None:
    assert sorted(leaves(hooks.navigation(CONFIG["nav"]))) == sorted([*hooks.written(), *hooks.generated()])


def test_a_pattern_becomes_the_pages_of_submissions_by_name() -> None:
    ((title, found),) = hooks.navigation([{"Submissions": "submissions/*/README.md"}])[0].items()
    assert title == "Submissions"
    assert {"random": "submissions/random/README.md"} in found
    assert len(found) == len(list(ROOT.glob("submissions/*/README.md")))


def test_the_page_of_metrics_has_the_file_of_every_shipped_metric() -> None:
    page = hooks.generated()["api/metrics.md"]
    files = {spec.function.__module__ for spec in metrics.all_metrics().values()}
    shipped = {name for name in files if name.startswith("earwitness.metrics.")}
    assert set(re.findall(r"^::: (\S+)$", page, re.MULTILINE)) == shipped


def test_a_link_to_code_is_plain_text_and_any_other_stays() -> None:
    pages = {"docs/checking.md", "tasks/micro_prompt/README.md"}
    text = "[a](../pyproject.toml) [b](../tasks/micro_prompt/README.md#x) [c](gone.md) [d](https://e.org/f) `l[t](all)`"
    assert hooks.without_links_to_code(text, "docs/checking.md", pages) == text.replace(
        "[a](../pyproject.toml)", "a (`pyproject.toml`)"
    )


@pytest.mark.parametrize(
    ("html", "asks"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example.org/css">', True),
        ('<img alt="" src="https://example.org/x.png">', True),
        ('<a href="https://example.org">x</a><img src="docs/images/band.png">', False),
        ('<link rel="canonical" href="https://example.org/">', False),
    ],
)
def test_what_a_page_would_ask_another_machine_for_is_seen(html: str, asks: bool) -> None:
    assert bool(hooks.LOADED.search(html)) == asks


def test_the_theme_has_no_fonts_of_another_machine_and_a_warning_is_made_of_each_fault() -> None:
    assert CONFIG["theme"]["font"] is False
    assert {value for kind in CONFIG["validation"].values() for value in kind.values()} == {"warn"}


def test_a_doctest_is_put_in_a_fence_and_prose_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(Extension=object, Object=object))
    fenced = load("doctests").fenced
    assert fenced("One.\n\n>>> f(1)\n2\n>>> f(2)\n3\n\nTwo.") == (
        "One.\n\n```pycon\n>>> f(1)\n2\n>>> f(2)\n3\n```\n\nTwo."
    )
    assert fenced("a > b and >>> c") == "a > b and >>> c"
