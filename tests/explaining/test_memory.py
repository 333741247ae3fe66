"""What a pass is seen to take, and how many rows are then made of it."""

from __future__ import annotations

import pytest
import torch

from earwitness.explaining import memory
from earwitness.explaining.memory import peak_bytes, rows_at_once, rows_of

SIDE = 256
SQUARE = SIDE * SIDE * 4
CPU = torch.device("cpu")


@pytest.fixture
def square() -> torch.Tensor:
    return torch.randn(SIDE, SIDE)


def test_what_is_alive_at_once_is_counted_and_what_was_there_before_is_not(square: torch.Tensor) -> None:
    def chain(links: int) -> torch.Tensor:
        found = square
        for _ in range(links):
            found = found @ square
        return found

    assert peak_bytes(lambda: square.t()[:5].contiguous()) == 5 * SIDE * 4
    assert peak_bytes(lambda: square.t()) == 0
    assert peak_bytes(lambda: square.add_(0)) == 0
    assert peak_bytes(lambda: chain(1)) == SQUARE
    assert peak_bytes(lambda: chain(9)) == 2 * SQUARE
    assert peak_bytes(lambda: [chain(1) for _ in range(3)]) == 3 * SQUARE


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_is_counted_in_every_mode_of_autograd(mode: type, square: torch.Tensor) -> None:
    with mode():
        assert peak_bytes(lambda: (square @ square) @ square) == 2 * SQUARE


def test_what_a_gradient_keeps_is_counted(square: torch.Tensor) -> None:
    def slope(links: int) -> None:
        given = found = square.clone().requires_grad_()
        for _ in range(links):
            found = (found @ square).tanh()
        torch.autograd.grad(found.sum(), given)

    few, many = peak_bytes(lambda: slope(4)), peak_bytes(lambda: slope(8))
    assert many - few == 4 * SQUARE


def test_nothing_is_left_of_what_was_counted(square: torch.Tensor) -> None:
    with memory.LiveBytes() as live:
        for _ in range(3):
            square @ square
        assert live._alive == 0
    assert live.peak == SQUARE


def test_rows_are_as_many_as_fit_and_one_at_least(monkeypatch: pytest.MonkeyPatch, square: torch.Tensor) -> None:
    monkeypatch.setattr(memory, "ROWS_BYTES", 1000)
    assert [rows_of(size, 16, CPU) for size in (0, 1, 62, 63, 100, 251, 999, 1001)] == [16, 16, 16, 8, 8, 2, 1, 1]
    assert rows_of(90, 11, CPU) == 11
    monkeypatch.setattr(memory, "ROWS_BYTES", 5 * SQUARE)
    assert rows_at_once(lambda: square @ square, 64, CPU) == 4
    assert rows_at_once(lambda: square @ square, 3, CPU) == 3
    assert rows_at_once(lambda: square @ square, 64, CPU, rows=2) == 8
