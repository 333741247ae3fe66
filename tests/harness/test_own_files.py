"""Files of one's own that an explainer's file imports: part of what it is; others are not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from earwitness.harness.fingerprints import fingerprint
from earwitness.harness.own_files import own_files

FILES = {
    "mine/__init__.py": "",
    "mine/explainer.py": (
        "import numpy\nimport beside\nfrom .helps import near\n"
        "class Explainer:\n    def explain(self):\n        from mine.deep import late\n        return late\n"
    ),
    "mine/helps/__init__.py": "SIZE = 1\n",
    "mine/helps/near.py": "from ..further import LEVEL\n",
    "mine/further.py": "from mine import explainer\nLEVEL = 1\n",
    "mine/deep.py": "import json\nlate = 1\n",
    "mine/unrelated.py": "x = 1\n",
    "beside.py": "y = 1\n",
    "alone.py": "import beside\ndef method(forward, inputs):\n    return beside.y\n",
}
FOLLOWED = {"beside", "mine", "mine.helps", "mine.helps.near", "mine.further", "mine.deep"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("mine", "beside", "alone"):
            del sys.modules[name]


def explainer() -> Any:
    return importlib.import_module("mine.explainer").Explainer()


def method() -> Any:
    return importlib.import_module("alone").method


def test_what_it_imports_is_followed_and_nothing_installed(package: Path) -> None:
    assert set(own_files("mine.explainer", package / "mine" / "explainer.py")) == FOLLOWED
    assert own_files("alone", package / "alone.py") == {"beside": package / "beside.py"}


@pytest.mark.parametrize(
    ("make", "file"),
    [
        *((explainer, name) for name in FILES if name.startswith(("mine", "beside")) and "unrelated" not in name),
        (method, "beside.py"),
    ],
)
def test_a_changed_helper_makes_it_another(package: Path, make: Callable[[], Any], file: str) -> None:
    before = fingerprint(make())
    assert fingerprint(make()) == before is not None
    path = package / file
    path.write_text(path.read_text() + "changed = True\n")
    assert fingerprint(make()) != before


@pytest.mark.parametrize(("make", "file"), [(explainer, "mine/unrelated.py"), (method, "mine/further.py")])
def test_a_changed_file_that_it_does_not_import_changes_nothing(
    package: Path, make: Callable[[], Any], file: str
) -> None:
    before = fingerprint(make())
    (package / file).write_text("changed = True\n")
    assert fingerprint(make()) == before


def test_a_helper_that_is_no_python_is_itself_and_imports_nothing(package: Path) -> None:
    (package / "beside.py").write_text("import mine.deep\nthis is no python\n")
    assert own_files("alone", package / "alone.py") == {"beside": package / "beside.py"}


def test_the_library_is_not_followed(package: Path) -> None:
    path = package / "alone.py"
    path.write_text("import earwitness.seeds\nimport torch\n")
    assert own_files("alone", path) == {}
