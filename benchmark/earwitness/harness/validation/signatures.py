"""Whether a function takes what a card hands to it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

EMPTY = inspect.Parameter.empty
OPEN = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def untaken(function: Callable[..., Any], needed: Collection[str], given: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with the parameters of a function that is called with a source and with `needed` by keyword.

    `given` are names that are handed to it where it has them. Every other parameter is a card's: it has an annotation,
    by which values are checked, and a default.
    """
    name = getattr(function, "__name__", type(function).__name__)
    taken = inspect.signature(function).parameters
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
    first = next(iter(taken.values()), None)
    if first is None or first.kind is inspect.Parameter.KEYWORD_ONLY:
        yield f"{name} takes no source as its first argument; add `source: str`"
    for wanted in needed:
        if wanted not in taken and not takes_any:
            yield f"{name} takes no {wanted}; add the parameter"
    of_card = [each for each in list(taken.values())[1:] if each.name not in {*needed, *given}]
    for each in of_card:
        if each.kind in OPEN:
            yield f"{name} takes *{each.name}: a misspelt parameter of a card would be lost; name each parameter"
        elif each.annotation is EMPTY:
            yield f"parameter {each.name} of {name} has no annotation, by which values are checked; write its type"
        elif each.default is EMPTY:
            yield f"parameter {each.name} of {name} has no default; give it one"
