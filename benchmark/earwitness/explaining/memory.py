"""How many rows a pass may have: as many as a bound in bytes holds, by what one row is seen to take."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from earwitness.explaining.batches import bounded

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS_BYTES = 1 << 30
"""Bytes that the rows of a pass may take on a CPU: an eighth of what a box may hold."""
FEW = 8
"""Rows that are weighed at once where they share an encoding, which weighs more than each of them."""
SHARE_OF_CARD = 4
"""On a GPU, that part of the card's whole memory. Not of what is free: the same machine makes the same passes."""


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the tensors that operations inside make and that are alive at once: `peak` is their most.

    What a kernel takes for itself and gives back is not seen; what was there before is not counted.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._alive = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        known = {_key(each) for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor) and _key(each) not in known:
                self._count(each.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self._alive += size
        self.peak = max(self.peak, self._alive)
        weakref.finalize(storage, self._gone, key, size).atexit = False

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._alive -= size


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def rows_bytes(device: torch.device) -> int:
    """Bytes that the rows of a pass may take on a device."""
    if device.type != "cuda":
        return ROWS_BYTES
    return int(torch.cuda.get_device_properties(device).total_memory) // SHARE_OF_CARD


def peak_bytes(run: Callable[[], object]) -> int:
    """Most bytes of tensors that were alive at once while `run` ran, its result included."""
    with LiveBytes() as live:
        run()
    return int(live.peak)


def rows_at_once(few: Callable[[], object], at_most: int, device: torch.device, rows: int = 1) -> int:
    """Rows of a pass that stay within `rows_bytes`, by the peak of `few`, such a pass over `rows` rows.

    See `rows_of` for how they are counted.
    """
    return rows_of(peak_bytes(few) // rows, at_most, device)


def rows_of(bytes_each: int, at_most: int, device: torch.device) -> int:
    """Rows of a pass of so many bytes each that stay within `rows_bytes`.

    `at_most` where that many fit, else the largest power of two that does, so that a few bytes more or less change
    nothing; 1 where not even one fits. `batches.at_most` bounds them, too.

    >>> cpu = torch.device("cpu")
    >>> rows_of(1 << 20, 64, cpu), rows_of(100 << 20, 64, cpu), rows_of(1 << 40, 64, cpu)
    (64, 8, 1)
    """
    at_most = bounded(at_most)
    fit = rows_bytes(device) // max(1, bytes_each)
    return at_most if fit >= at_most else 1 << max(0, fit.bit_length() - 1)
