"""Parameters of cards are held against the annotations of what takes them."""

from __future__ import annotations

import functools
import math
import sys
import tomllib
from dataclasses import InitVar, dataclass
from enum import StrEnum
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from earwitness.errors import EarwitnessError
from earwitness.parameters import ParameterError, checked

if TYPE_CHECKING:
    from pathlib import PurePath

Steps = Annotated[int, Field(ge=1, le=1000)]
Guidance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Kind(StrEnum):
    ONE = "one"
    TWO = "two"


class Opaque:
    """A class that pydantic makes no schema of."""


def load(
    source: str,
    revision: str = "main",
    *,
    steps: Steps = 50,
    guidance: Guidance | None = None,
    free: float = 0.0,
    mode: Literal["fast", "slow"] = "fast",
    kind: Kind = Kind.ONE,
    widths: tuple[int, ...] = (),
    framewise: bool = False,
    either: int | str = 0,
    place: PurePath | None = None,
    opaque: Opaque | None = None,
    anything=None,
) -> PurePath: ...


def refused(**values: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        checked(load, values, excluded=("source", "revision"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return caught.value


@pytest.mark.parametrize(
    ("key", "value", "taken"),
    [
        ("steps", 1, 1),
        ("guidance", 3, 3.0),
        ("guidance", None, None),
        ("anything", math.inf, math.inf),
        ("mode", "slow", "slow"),
        ("kind", "two", Kind.TWO),
        ("widths", [1, 2], (1, 2)),
        ("framewise", True, True),
        ("either", "a", "a"),
        ("place", 7, 7),
        ("opaque", "left alone", "left alone"),
        ("anything", object, object),
    ],
)
def test_a_value_that_fits_is_handed_on_as_it_is_taken(key: str, value: Any, taken: Any) -> None:
    found = checked(load, {key: value}, excluded=("source", "revision"))
    assert found == {key: taken}
    assert type(found[key]) is type(taken)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("steps", "5", "must be a valid integer, not '5'"),
        ("steps", 5.0, "must be a valid integer, not 5.0"),
        ("steps", True, "must be a valid integer, not True"),
        ("steps", 0, "must be greater than or equal to 1, not 0"),
        ("steps", 10**9, "must be less than or equal to 1000, not 1000000000"),
        ("guidance", "3", "must be a valid number, not '3'"),
        ("guidance", False, "must be a valid number, not False"),
        ("guidance", math.nan, "must be a finite number, not nan"),
        ("free", math.nan, "must be a finite number, not nan"),
        ("free", -math.inf, "must be a finite number, not -inf"),
        ("free", 10**400, "must be a finite number, not 1000"),
        ("guidance", math.inf, "must be a finite number, not inf"),
        ("guidance", [3.0], "must be a valid number, not [3.0]"),
        ("mode", "medium", "must be 'fast' or 'slow', not 'medium'"),
        ("kind", "three", "must be 'one' or 'two', not 'three'"),
        ("widths", [1, "2"], "[1] must be a valid integer, not [1, '2']"),
        ("framewise", "no", "must be a valid boolean, not 'no'"),
        ("framewise", 1, "must be a valid boolean, not 1"),
        ("either", 1.5, "must be a valid integer or must be a valid string, not 1.5"),
        ("step", 5, "is unknown; did you mean 'steps'?"),
        ("source", "elsewhere", "is unknown; known: steps, guidance, free, mode, kind, widths"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line_that_names_it(key: str, value: Any, problem: str) -> None:
    error = refused(**{key: value})
    assert error.key == key
    assert error.problem.startswith(problem)
    assert str(error) == f"parameter {key} {error.problem}"
    assert isinstance(error, EarwitnessError)


def test_a_long_value_or_name_is_cut() -> None:
    assert len(refused(steps="5" * 10_000).problem) < 150
    assert len(refused(steps=[[[1]]] * 10_000).problem) < 150
    assert len(refused(**{"x\n\x1b[31m" * 1000: 1}).key) <= 80


def test_numbers_of_toml_are_held_as_python_has_them() -> None:
    card = tomllib.loads("guidance = inf\nanything = nan\nsteps = 12")
    assert math.isnan(checked(load, {"anything": card["anything"]}, excluded=("source",))["anything"])
    assert checked(load, {"steps": card["steps"]}, excluded=("source",)) == {"steps": 12}
    assert refused(guidance=card["guidance"]).problem == "must be a finite number, not inf"


def test_defaults_are_not_looked_at_and_what_has_none_must_be_given() -> None:
    def needs(*, width: int, depth: Steps = 0) -> None: ...

    assert checked(needs, {"width": 3}) == {"width": 3}
    with pytest.raises(ParameterError, match="parameter width is missing"):
        checked(needs, {})


def test_a_wrapped_function_is_held_by_what_it_wraps() -> None:
    @functools.wraps(load)
    def outer(*args: Any, **kwargs: Any) -> None: ...

    assert checked(outer, {"steps": 3}, excluded=("source",)) == {"steps": 3}
    with pytest.raises(ParameterError, match="steps"):
        checked(outer, {"steps": "3"}, excluded=("source",))


@dataclass
class Base:
    epochs: Steps = 15


@dataclass
class Explainer(Base):
    framewise: bool = False


def test_a_dataclass_is_held_by_its_fields_and_its_parents() -> None:
    assert checked(Explainer, {"epochs": 3, "framewise": True}) == {"epochs": 3, "framewise": True}
    for key, value in (("epochs", "15"), ("framewise", "no")):
        with pytest.raises(ParameterError, match=key):
            checked(Explainer, {key: value})


@dataclass
class Passing:
    """Takes what it does not keep."""

    epochs: InitVar[Steps] = 15


def test_what_a_dataclass_takes_and_does_not_keep_is_held_too() -> None:
    assert checked(Passing, {"epochs": 3}) == {"epochs": 3}
    with pytest.raises(ParameterError, match="epochs must be less than or equal to 1000"):
        checked(Passing, {"epochs": 2000})


def test_a_constructor_is_held_by_the_names_of_the_module_that_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", elsewhere)
    source = """
from __future__ import annotations
from dataclasses import dataclass
from typing import Literal as OneOf

class Written:
    def __init__(self, mode: OneOf["fast", "slow"] = "fast", epochs: int = 1) -> None: ...

@dataclass
class Made:
    mode: OneOf["fast", "slow"] = "fast"
"""
    exec(source, vars(elsewhere))

    class Heir(elsewhere.Written):  # type: ignore[name-defined, misc]
        """Inherits its constructor."""

    @dataclass
    class MadeHeir(elsewhere.Made):  # type: ignore[name-defined, misc]
        epochs: Steps = 1

    for kind in (Heir, MadeHeir):
        assert checked(kind, {"mode": "slow", "epochs": 2}) == {"mode": "slow", "epochs": 2}
        for key, value in (("mode", "medium"), ("epochs", "2")):
            with pytest.raises(ParameterError, match=key):
                checked(kind, {key: value})


def test_a_function_of_open_keywords_takes_any() -> None:
    def open_ended(source: str, **others: Any) -> None: ...

    assert checked(open_ended, {"x": 1}, excluded=("source",)) == {"x": 1}
    with pytest.raises(ParameterError, match="source is unknown"):
        checked(open_ended, {"source": "x"}, excluded=("source",))


tables = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["steps", "guidance", "free", "mode", "kind", "widths", "framewise", "either"]) | st.text()


@given(values=st.dictionaries(names, tables, max_size=3))
def test_any_table_is_taken_or_refused_in_one_line(values: dict[str, Any]) -> None:
    try:
        found = checked(load, values, excluded=("source", "revision"))
    except ParameterError as refusal:
        message = str(refusal)
        assert len(message.splitlines()) == 1
    else:
        assert found.keys() == values.keys()
        assert 1 <= found.get("steps", 1) <= 1000
        assert not isinstance(found.get("free", 0.0), bool | str)
