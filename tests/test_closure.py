"""The import closure: what it follows, what it leaves, and what of a source counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness import closure

CODE = '''"""Doc."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from house import types_only


class Box:
    """A box."""

    size: int = 3  # how large
    """In metres."""

    def open(self):
        """Doc."""
        text = """kept

  # kept, too   
"""
        return text, "# kept"  # gone
'''


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that plugs in, and its folder."""
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    package = closure._package
    monkeypatch.setattr(closure, "_package", lambda top: folder if top == "house" else package(top))
    return folder


def names(*roots: str) -> set[str]:
    return set(closure.closure(roots))


def test_comments_and_docstrings_do_not_count_and_texts_do() -> None:
    text = closure.stripped(CODE)
    assert "Doc." not in text
    assert "In metres" not in text
    assert "how large" not in text
    assert "gone" not in text
    assert 'text = """kept\n\n  # kept, too   \n"""' in text
    assert 'return text, "# kept"' in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 1  # one\n"),
        ("def f():\n    return 1\n", 'def f():\n    """One."""\n\n    return 1\n'),
        ("x = 1\ny = 2\n", "# both\nx = 1\n\n\ny = 2\n"),
        ('x = "ä"  # ö\n', 'x = "ä"\n'),
    ],
)
def test_sources_that_run_alike_are_alike(before: str, after: str) -> None:
    assert closure.stripped(before) == closure.stripped(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 2\n"),
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a   \nb"""\n', 'x = """a\nb"""\n'),
        ('x = "# a"\n', 'x = "# b"\n'),
        ('y = "\x0c\u2028"  # c\nx = 1\n', 'y = "\x0c\u2028"  # c\nx = 2\n'),
        ("if x:\n    y = 1\n    z = 2\n", "if x:\n    y = 1\nz = 2\n"),
    ],
)
def test_sources_that_differ_in_what_runs_differ(before: str, after: str) -> None:
    assert closure.stripped(before) != closure.stripped(after)


@given(st.lists(st.sampled_from(["x = 1", "# c", '"""d"""', "", "def f():\n    return 'é'  # ü"]), max_size=8))
def test_what_is_left_parses_and_is_left_as_it_is(parts: list[str]) -> None:
    once = closure.stripped("\n".join(parts) + "\n")
    assert closure.stripped(once + "\n") == once


@pytest.mark.parametrize(
    "line",
    [
        "import house.helper",
        "from house import helper",
        "from house.helper import x",
        "from . import helper",
        "from .helper import x",
        "def f():\n    from house import helper",
        "import importlib\nimportlib.import_module('house.helper')",
        "from importlib import import_module\ndef f(name):\n    return import_module(f'house.{name}')",
        "from importlib import import_module\ndef f(name):\n    return import_module('house.' + name)",
        "from importlib import import_module\ndef f(name):\n    return import_module(name)",
        "__import__('house.helper')",
        "from importlib import import_module as load\nload('house.helper')",
        "\ufefffrom house import helper",
        "import typing\nif not typing.TYPE_CHECKING:\n    from house import helper",
    ],
)
def test_a_helper_is_followed_however_it_is_imported(house: Path, line: str) -> None:
    (house / "root.py").write_text(line + "\n")
    (house / "helper.py").write_text("x = 1\n")
    assert "house.helper" in names("house.root")
    before = closure.code_hash(["house.root"])
    (house / "helper.py").write_text("x = 2  # two\n")
    assert closure.code_hash(["house.root"]) != before


def test_imports_for_types_alone_do_not_count() -> None:
    types = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from x import Y\n\nz = 1\n"
    assert closure.stripped(types) == "from typing import TYPE_CHECKING\nz = 1"


def test_imports_for_types_alone_are_not_followed(house: Path) -> None:
    (house / "root.py").write_text("import typing\nif typing.TYPE_CHECKING:\n    from house import helper\n")
    (house / "helper.py").write_text("")
    assert names("house.root") == {"house", "house.root"}


def test_a_file_beside_it_that_nobody_imports_is_not_in_the_closure(house: Path) -> None:
    (house / "root.py").write_text("x = 1\n")
    before = closure.code_hash(["house.root"])
    (house / "other.py").write_text("y = 1\n")
    assert closure.code_hash(["house.root"]) == before


def test_a_class_is_no_file_of_its_name_in_other_letters(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that does not tell letters' cases apart."""
    (house / "root.py").write_text("from house import Notes\n")
    (house / "notes.py").write_text("x = 1\n")
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda self: is_file(self.with_name(self.name.lower())))
    assert names("house.root") == {"house", "house.root"}


def test_circles_end(house: Path) -> None:
    (house / "root.py").write_text("from house import helper\n")
    (house / "helper.py").write_text("from house import root\n")
    assert names("house.root") == {"house", "house.root", "house.helper"}


def test_a_root_that_is_none_is_said(house: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module is called house\.nothing"):
        closure.closure(["house.nothing"])


def test_a_broken_source_counts_as_it_is(house: Path) -> None:
    (house / "root.py").write_text("def (:\n")
    before = closure.code_hash(["house.root"])
    (house / "root.py").write_text("def (:  # other\n")
    assert closure.code_hash(["house.root"]) != before


def test_doors_are_the_modules_that_import_by_a_name_of_a_card() -> None:
    """Elsewhere a name that is put together would take a whole package into identities."""
    package = Path(closure.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        parts = path.relative_to(package).with_suffix("").parts
        module = ".".join(["earwitness", *(part for part in parts if part != "__init__")])
        if "import_module(f" in source:
            found.add(module)
    found.discard("earwitness.closure")
    assert found == closure.DOORS
