"""Fingerprints: equal for what is made of the same, other for what is not, whatever the addresses."""

from __future__ import annotations

import threading
import types
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from earwitness.harness.fingerprints import fingerprint


def typed(source: str) -> Any:
    """What a notebook's cell leaves: the last name that it defines, in a module without a file."""
    module = types.ModuleType("typed")
    exec(compile(source, "<cell>", "exec"), module.__dict__)
    return list(module.__dict__.values())[-1]


@dataclass
class Plain:
    size: int
    weights: Any = None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plain(1, np.arange(3.0)),
        lambda: partial(max, 1),
        lambda: [torch.ones(2), {"a": (1, None)}, frozenset({1, 2})],
        lambda: typed("class A:\n    x = 1\n    def f(self):\n        return self.x\n"),
        lambda: typed("def help(x):\n    return x\ndef f(x):\n    return help(x)\n"),
    ],
)
def test_what_is_made_alike_has_one_fingerprint(make: Any) -> None:
    assert fingerprint(make()) == fingerprint(make()) is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Plain(1), Plain(2)),
        (Plain(1, np.zeros(2)), Plain(1, np.ones(2))),
        (1, 1.0),
        ("1", 1),
        ([1, [2]], [[1], 2]),
        (typed("def f(x):\n    return x + 1\n"), typed("def f(x):\n    return x + 2\n")),
        (typed("class A:\n    x = 1\n"), typed("class A:\n    x = 2\n")),
        (
            typed("def help(x):\n    return x\ndef f(x):\n    return help(x)\n"),
            typed("def help(x):\n    return -x\ndef f(x):\n    return help(x)\n"),
        ),
        (
            typed("def help(x):\n    return x\ndef f(x):\n    return [help(y) for y in x]\n"),
            typed("def help(x):\n    return -x\ndef f(x):\n    return [help(y) for y in x]\n"),
        ),
        (typed("k = 1\ndef f(x):\n    return x + k\n"), typed("k = 2\ndef f(x):\n    return x + k\n")),
        (typed("def f(x, k=1):\n    return x + k\n"), typed("def f(x, k=2):\n    return x + k\n")),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
    ],
)
def test_what_differs_has_two(first: Any, second: Any) -> None:
    assert fingerprint(first) != fingerprint(second)


def test_a_closures_value_counts() -> None:
    def make(k: int) -> Any:
        return lambda x: x + k

    assert fingerprint(make(1)) == fingerprint(make(1)) != fingerprint(make(2))


def test_circles_end_and_what_cannot_be_read_has_none() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert fingerprint(circle) is not None
    assert fingerprint(threading.Lock()) is None
