"""Rows in as few passes as memory holds: the one place where a batch is cut, and halved where it does not fit.

A row's numbers do not hang on the rows beside it but for rounding: libraries add products up in an order that goes by a
matrix's size. So the same cuts give the same bits, and other cuts the same values within rounding.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from earwitness.errors import ITEM_FAILED, EarwitnessError, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

R = TypeVar("R")
SIGNS = ("out of memory", "alloc_failed", "can't allocate memory")
"""What errors of torch say, in small letters, where there is no room: of CUDA, of cuBLAS and cuDNN, of the CPU."""
ADVICE = "free it of other programs, take --batch-size 1, or --device cpu"
_MOST: ContextVar[int | None] = ContextVar("most_rows", default=None)


class NoRoomError(EarwitnessError):
    """The memory of the device holds too little for what must lie in it at once."""

    exit_code = ITEM_FAILED


@contextmanager
def at_most(rows: int | None) -> Iterator[None]:
    """No pass inside has more rows, whatever would fit; None sets no bound. Raises EarwitnessError below 1."""
    if rows is not None and rows < 1:
        raise EarwitnessError(f"a batch holds 1 row at least; found {rows}")
    before = _MOST.set(rows)
    try:
        yield
    finally:
        _MOST.reset(before)


def bounded(rows: int) -> int:
    """So many rows, or as many as `at_most` allows.

    >>> with at_most(3):
    ...     bounded(8), bounded(2)
    (3, 2)
    """
    most = _MOST.get()
    return rows if most is None else min(rows, most)


def in_passes(ask: Callable[[slice], R], rows: int, most: int) -> Iterator[R]:
    """What `ask` gives for consecutive slices of so many rows, in their order.

    A slice has `most` rows, or fewer where `at_most` says so. One that the memory does not hold is asked again in
    halves, and so are those after it. `ask` must leave nothing half done where it fails. Raises NoRoomError where one
    row alone does not fit.

    >>> list(in_passes(lambda part: list(range(5))[part], 5, 2))
    [[0, 1], [2, 3], [4]]
    """
    size, start = bounded(most), 0
    while start < rows:
        part = slice(start, min(start + size, rows))
        found, problem = _attempt(ask, part)
        if not problem:
            start = part.stop
            yield from found
            continue
        size = part.stop - part.start
        if size == 1:
            raise NoRoomError(f"no room for one row of a pass: {problem}; {ADVICE}")
        size //= 2
        _give_back()


def _attempt(ask: Callable[[slice], R], part: slice) -> tuple[list[R], str]:
    """What was asked for, or why the memory does not hold it: the error, whose frames hold tensors, is gone by then."""
    try:
        return [ask(part)], ""
    except RuntimeError as error:
        if not is_want_of_memory(error):
            raise
        return [], reason(error)


def _give_back() -> None:
    """Have torch give back what it keeps of a card's memory for later: in other pieces it may be enough."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def is_want_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device does not hold something.

    >>> is_want_of_memory(RuntimeError("CUDA error: out of memory")), is_want_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if not isinstance(error, RuntimeError):
        return False
    # By its name, since whoever has no torch loaded has no error of its.
    return type(error).__name__ == "OutOfMemoryError" or any(sign in str(error).lower() for sign in SIGNS)


def reason(error: BaseException) -> str:
    """What an error says, short: of torch's on memory what was asked for, and what of the card is free."""
    text = short(" ".join(str(error).split(" See documentation")[0].split(" If reserved")[0].split()))
    return text.rstrip(".") or type(error).__name__


@contextmanager
def room(what: str) -> Iterator[None]:
    """Raise NoRoomError, in one line that names `what`, where the memory does not hold something inside."""
    try:
        yield
    except (RuntimeError, EarwitnessError) as error:
        cause = error if is_want_of_memory(error) else error.__cause__
        if cause is None or isinstance(error, NoRoomError) or not is_want_of_memory(cause):
            raise
        raise NoRoomError(f"no room for {what}: {reason(cause)}; {ADVICE}") from error
