"""Rows in as few passes as memory holds: where a batch is cut, when it is halved, what is raised when nothing helps."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from earwitness.errors import ITEM_FAILED, EarwitnessError, ModelError
from earwitness.explaining import memory
from earwitness.explaining.batches import NoRoomError, at_most, bounded, in_passes, is_want_of_memory, room

FULL = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 10.00 MiB is "
    "free. If reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF. See documentation for Memory"
)
WAYS = [
    torch.cuda.OutOfMemoryError(FULL),
    torch.cuda.OutOfMemoryError("no words for it"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:131] DefaultCPUAllocator: can't allocate memory: you tried 1 bytes"),
]


class SmallCard:
    """Doubles rows, of which it holds so many."""

    def __init__(self, holds: int, error: Exception = WAYS[0]) -> None:
        self.holds, self.error = holds, error
        self.asked: list[int] = []

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(rows))
        if len(rows) > self.holds:
            raise self.error
        return rows * 2


def doubled(card: SmallCard, rows: int, most: int) -> list[int]:
    given = torch.arange(rows)
    parts = list(in_passes(lambda part: card(given[part]), rows, most))
    return [int(each) for part in parts for each in part]


@pytest.mark.parametrize("error", WAYS, ids=range(len(WAYS)))
def test_what_does_not_fit_is_asked_again_in_halves_and_so_is_the_rest(error: Exception) -> None:
    card = SmallCard(3, error)
    assert doubled(card, 11, 8) == [2 * row for row in range(11)]
    assert card.asked == [8, 4, 2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (7, 1), (7, 3), (7, 7), (7, 100), (0, 4)])
@pytest.mark.parametrize("holds", [1, 2, 5, 100])
def test_every_row_is_answered_once_and_in_order(rows: int, most: int, holds: int) -> None:
    card = SmallCard(holds)
    assert doubled(card, rows, most) == [2 * row for row in range(rows)]
    answered = [size for size in card.asked if size <= holds]
    assert sum(answered) == rows
    assert max(answered, default=0) <= most


def test_the_last_and_shorter_part_is_halved_by_its_own_length() -> None:
    card = SmallCard(2)
    assert doubled(card, 3, 8) == [0, 2, 4]
    assert card.asked == [3, 1, 1, 1]


def test_where_one_row_does_not_fit_one_line_says_what_is_wanting_and_what_to_do() -> None:
    card = SmallCard(0)
    with pytest.raises(NoRoomError) as raised:
        doubled(card, 4, 4)
    assert card.asked == [4, 2, 1]
    said = str(raised.value)
    assert said.startswith("no room for one row of a pass: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has")
    assert said.endswith("which 10.00 MiB is free; free it of other programs, take --batch-size 1, or --device cpu")
    assert "\n" not in said
    assert raised.value.exit_code == ITEM_FAILED


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyboardInterrupt()])
def test_other_errors_are_what_they_were(error: BaseException) -> None:
    def ask(part: slice) -> None:
        raise error

    with pytest.raises(type(error)):
        list(in_passes(ask, 4, 4))


def test_what_was_answered_before_the_memory_was_full_is_kept_and_not_asked_again() -> None:
    asked = []

    def ask(part: slice) -> int:
        asked.append((part.start, part.stop))
        if len(asked) == 2:
            raise WAYS[0]
        return part.stop - part.start

    assert list(in_passes(ask, 8, 4)) == [4, 2, 2]
    assert asked == [(0, 4), (4, 8), (4, 6), (6, 8)]


def test_a_bound_holds_inside_and_is_given_back() -> None:
    with at_most(3):
        assert (bounded(8), bounded(2)) == (3, 2)
        with at_most(None):
            assert bounded(8) == 8
        card = SmallCard(100)
        doubled(card, 8, 8)
        assert card.asked == [3, 3, 2]
        assert memory.rows_of(0, 16, torch.device("cpu")) == 3
    assert bounded(8) == 8


@pytest.mark.parametrize("rows", [0, -1])
def test_a_bound_below_one_row_is_refused(rows: int) -> None:
    with pytest.raises(EarwitnessError, match=f"a batch holds 1 row at least; found {rows}"), at_most(rows):
        pass


def test_room_names_what_the_memory_is_too_small_for_even_where_a_reader_of_models_said_something_else() -> None:
    def read() -> None:
        try:
            raise WAYS[0]
        except RuntimeError as error:
            raise ModelError("cannot read the parts of the model a/b: CUDA out of memory; give a folder") from error

    for act in (read, lambda: SmallCard(0)(torch.zeros(1))):
        with pytest.raises(NoRoomError, match=r"^no room for the model: CUDA out of memory\. Tried"), room("the model"):
            act()


def test_room_leaves_other_errors_and_what_is_named_already() -> None:
    inner = NoRoomError("no room for one row")
    for error in (inner, ModelError("it is no MusicGen"), RuntimeError("shapes"), ValueError("x")):
        with pytest.raises(type(error)) as raised, room("the model"):
            raise error
        assert raised.value is error
    assert not is_want_of_memory(OSError(errno.ENOMEM, "out of memory"))


def test_products_of_rows_in_other_batches_are_the_same_within_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, weights = torch.randn(16, 512, generator=generator), torch.randn(512, 512, generator=generator)
    found = {
        most: np.concatenate([part.numpy() for part in in_passes(lambda part: rows[part] @ weights, 16, most)])
        for most in (1, 3, 16)
    }
    size = np.abs(found[16]).max()
    for most in (1, 3):
        assert np.abs(found[most] - found[16]).max() <= 1e-5 * size
