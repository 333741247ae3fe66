"""How the suites tell of time: how far they are, how long the rest takes, and what a call of something took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import isfunction
from statistics import median
from time import monotonic, perf_counter
from typing import Any, TypeVar

T = TypeVar("T")
Say = Callable[[str], None]
"""Prints a line of progress."""
LONG = 0.5
"""Seconds of waiting that are told of."""
MINUTE, HOUR = 60, 3600


def in_words(seconds: float) -> str:
    """A length of time, to two digits.

    >>> in_words(0.0042), in_words(41.3), in_words(250), in_words(9000)
    ('4.2 ms', '41 s', '4.2 min', '2.5 h')
    """
    for least, unit, name in ((100 * MINUTE, HOUR, "h"), (100, MINUTE, "min"), (0.1, 1, "s")):
        if seconds >= least:
            return f"{_two_digits(seconds / unit)} {name}"
    return f"{_two_digits(seconds * 1000)} ms"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):g}"


def took(seconds: float, ahead: float = 0.0) -> str:
    """What is said of a step that took so long, with so many seconds to come where that is known."""
    return f"that took {in_words(seconds)}" + (f"; about {in_words(ahead)} more" if ahead else "")


def for_items(what: str, seconds: float, items: int, whose: str) -> str:
    """What something that is done once an item takes, for one and for all items.

    >>> for_items("a generation", 0.4, 100, "micro_band")
    'a generation took 0.4 s; one for each of the 100 items of micro_band takes about 40 s'
    """
    each = f"one for each of the {items} items of {whose}"
    return f"{what} took {in_words(seconds)}; {each} takes about {in_words(items * seconds)}"


def paced(things: Iterable[T], count: int, what: str, say: Say) -> Iterator[T]:
    """The things, one after the other; says how many of `count` are done and how long the rest takes.

    It is said once that took `LONG`, and again whenever twice as much time has gone by, while the rest takes as long.
    """
    begun, wait = monotonic(), LONG
    for done, thing in enumerate(things, 1):
        yield thing
        seconds = monotonic() - begun
        ahead = seconds / done * (count - done)
        if ahead >= LONG and seconds >= wait:
            say(f"{done} of {count} {what}; about {in_words(ahead)} more")
            wait = 2 * seconds


class Clock:
    """Something whose methods are timed when they are called; each is named when it is called first."""

    def __init__(self, of: Any, interface: type[Any], device: str, say: Say) -> None:
        """`interface` says which methods there are, `device` where they compute."""
        self._of = of
        self._device = device
        self._names = [name for name, each in vars(interface).items() if isfunction(each) and name[0] != "_"]
        self._say = say
        self._seconds: dict[str, list[float]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        return self._timed(name, found) if name in self._names else found

    def seconds(self, name: str) -> float | None:
        """Seconds of a call: the median, without the first of several, which may compile; None where none was made."""
        calls = self._seconds.get(name, [])
        return median(calls[1:] or calls) if calls else None

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if name not in self._seconds:
                self._seconds[name] = []
                self._say(f"trying {name}, {len(self._seconds)} of {len(self._names)} methods")
            begun = perf_counter()
            answer = method(*args, **kwargs)
            _finish(self._device)
            self._seconds[name].append(perf_counter() - begun)
            return answer

        return timed


def _finish(device: str) -> None:
    """Wait for what a GPU still computes."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
