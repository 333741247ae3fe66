"""The cost of an explanation, metered inside the box: CPU seconds, passes of the model, memory."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook

if TYPE_CHECKING:
    from collections.abc import Iterator


class Metered(Protocol):
    """What a model of any track tells of its cost."""

    metered: nn.Module
    device: torch.device

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole sequence a call of `metered` with these arguments is worth."""


@dataclass(frozen=True)
class Usage:
    """What was spent since a meter was entered."""

    seconds: float
    """CPU seconds of this process and of its ended children."""
    forwards: float
    """In sequences."""
    backwards: float
    peak_bytes: int


class Meter:
    """Counts while it is entered; a backward is counted when a gradient reaches an output of the metered module."""

    def __init__(self, model: Metered) -> None:
        self._model = model
        self._base = _peak(model.device)
        self._forwards = self._backwards = 0.0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._forwards = self._backwards = 0.0
        if self._model.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._model.device)
        self._hook = self._model.metered.register_forward_hook(self._count, with_kwargs=True)
        self._seconds = cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def usage(self) -> Usage:
        """What was spent since the meter was entered."""
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
        peak = max(0, _peak(self._model.device) - self._base)
        return Usage(cpu_seconds() - self._seconds, self._forwards, self._backwards, peak)

    def _count(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        worth = self._model.sequences(args, kwargs)
        self._forwards += worth
        outputs = [tensor for tensor in _tensors(output) if tensor.requires_grad]

        def reached(_: Tensor) -> None:
            self._backwards += worth

        if outputs:
            register_multi_grad_hook(outputs, reached, mode="any")


def cpu_seconds() -> float:
    """CPU seconds of this process and of its ended children, in user and kernel mode."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)
