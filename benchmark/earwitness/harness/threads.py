"""Threads of what computes rows: one, so that sums have one order and rows are the same bits everywhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch's and BLAS' threads are one meanwhile, whatever the environment said when they were loaded.

    A product of matrices in float32 by two threads of OpenBLAS differs in its last bits from that by one.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
