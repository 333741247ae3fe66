"""Packages of others that stand in for what they import and do not use."""

import sys

import pytest

from earwitness.errors import EarwitnessError
from earwitness.stand_ins import imported, stand_in, standing_in

HOW = "pip install needy"


def package(folder, monkeypatch, source):
    (folder / "needy_package.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "needy_package", raising=False)


def test_a_stand_in_is_there_for_one_import_alone(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "import no_such.inner\nfrom no_such import inner\nVALUE = no_such.inner.value")
    stands = [stand_in("no_such"), stand_in("no_such.inner", value=7)]
    module = imported("needy_package", "needy", HOW, stands)
    assert module.VALUE == 7
    assert not {"no_such", "no_such.inner"} & set(sys.modules)
    del sys.modules["needy_package"]
    with pytest.raises(EarwitnessError, match="needy needs no_such, which is not installed: pip install needy"):
        imported("needy_package", "needy", HOW)


def test_a_package_that_can_be_imported_is_not_replaced():
    with standing_in([stand_in("colorsys", hls_to_rgb=None)]):
        import colorsys

        assert colorsys.hls_to_rgb is not None


def test_of_a_broken_package_nothing_stays(tmp_path, monkeypatch):
    (tmp_path / "broken_one").mkdir()
    (tmp_path / "broken_one" / "inner.py").write_text("")
    (tmp_path / "broken_one" / "__init__.py").write_text("import broken_one.inner\nraise OSError('no library')")
    package(tmp_path, monkeypatch, "from broken_one import value")
    assert imported("needy_package", "needy", HOW, [stand_in("broken_one", value=3)]).value == 3
    assert not [name for name in sys.modules if name.startswith("broken_one")]


def test_whatever_a_package_raises_is_one_line(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "raise RuntimeError('two\\nlines')")
    with pytest.raises(EarwitnessError) as caught:
        imported("needy_package", "needy", HOW)
    assert str(caught.value) == (
        "needy cannot be imported (RuntimeError: two lines); install it again: pip install needy"
    )
