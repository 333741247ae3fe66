"""Parameters that come from cards, validated on the annotations of the function or dataclass that takes them."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import InitVar
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from earwitness.errors import EarwitnessError, nearest, shortened

_FINITE = ConfigDict(allow_inf_nan=False)


class ParameterError(EarwitnessError):
    """A parameter is unknown, missing, of another type or out of range; `key` is its name and `problem` what is wrong.

    >>> str(ParameterError("steps", "must be a valid integer, not '5'"))
    "parameter steps must be a valid integer, not '5'"
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"parameter {key} {problem}")
        self.key = key
        self.problem = problem


def checked(
    function: Callable[..., Any], values: Mapping[str, Any], *, excluded: Collection[str] = ()
) -> dict[str, Any]:
    """Values by name as a function or dataclass takes them: each validated by its annotation, strictly.

    Text is no number, true is no number and 5.0 is no integer; an integer may stand for a float and a list for a tuple.
    A float is finite. Bounds stand in the annotation (`Annotated[int, Field(ge=1)]`). `excluded` are names that the
    function takes from elsewhere. A default is not looked at, nor a value whose annotation pydantic knows nothing of.
    Raises ParameterError for the first value that is unknown or does not fit, and for one without a default that is
    missing.

    >>> def load(source: str, *, steps: int = 50, guidance: float = 3.5): ...
    >>> checked(load, {"guidance": 2}, excluded=["source"])
    {'guidance': 2.0}
    >>> checked(load, {"step": 2}, excluded=["source"])
    Traceback (most recent call last):
    ...
    earwitness.parameters.ParameterError: parameter step is unknown; did you mean 'steps'?
    """
    taken = inspect.signature(function).parameters
    named = {name: each for name, each in taken.items() if each.kind in _NAMED and name not in excluded}
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
    found = {}
    for key, value in values.items():
        if key in named:
            found[key] = _fitted(key, value, _annotation(function, named[key]))
        elif open_ended and key not in excluded:
            found[key] = value
        else:
            raise ParameterError(_shown_key(key), f"is unknown; {nearest(str(key), named, 'known', list(named))}")
    for name, each in named.items():
        if each.default is inspect.Parameter.empty and name not in values:
            raise ParameterError(name, "is missing; it has no default")
    return found


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """A parameter's annotation, its text resolved where it was written; Any where it cannot be."""
    found = parameter.annotation
    if isinstance(found, str):
        stand_in = type("_", (), {"__annotations__": {parameter.name: found}})
        try:
            scope = _scope(function, parameter.name)
            found = get_type_hints(stand_in, globalns=scope, include_extras=True)[parameter.name]
        except (NameError, TypeError, AttributeError, SyntaxError):
            return Any
    # What a dataclass takes and does not keep.
    found = found.type if isinstance(found, InitVar) else found
    return Any if found is inspect.Parameter.empty else found


def _scope(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Names of the module in which a parameter is declared."""
    owner: Any = inspect.unwrap(function)
    if isinstance(owner, type):
        made_by = next(c for c in owner.__mro__ if "__init__" in vars(c) or c is object)
        if "__dataclass_fields__" in vars(made_by):
            # Each field is of the class that declares it; the method that takes it was made in another's name.
            owner = next((c for c in made_by.__mro__ if name in vars(c).get("__annotations__", {})), made_by)
        elif made_by is not object:
            owner = inspect.unwrap(vars(made_by)["__init__"])
    module = sys.modules.get(owner.__module__)
    return getattr(owner, "__globals__", None) or (vars(module) if module else {})


def _fitted(key: str, value: Any, annotation: Any) -> Any:
    try:
        adapter = _adapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return value
    try:
        # As JSON, since a card's lists stand for tuples and its texts for members of an enum.
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = None
    try:
        if text is None:
            return adapter.validate_python(value, strict=True)
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        raise ParameterError(key, f"{_complaints(error)}, not {_shown(value)}") from None


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=_FINITE)
    except PydanticUserError:
        # Of a type with a configuration of its own.
        return TypeAdapter(annotation)


def _complaints(error: ValidationError) -> str:
    """What pydantic says of a value, once for each of the types that it could have had."""
    said = []
    for each in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in each["loc"] if isinstance(part, int)]
        message = each["msg"].replace("Input should", "must").replace("Value error, ", "")
        message = re.sub(r" following the rules at \S+", "", message)
        said.append(f"[{']['.join(place)}] {message}" if place else message)
    return " or ".join(dict.fromkeys(said))


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} too large to show"
    return shortened(text)


def _shown_key(key: Any) -> str:
    text = str(key)
    return shortened(text) if text.isidentifier() else _shown(text)
