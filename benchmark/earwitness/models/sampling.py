"""Coupled sampling: Gumbel-max whose noise is fixed by (seed, step, codebook), so that paired generations compare."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

CACHE_BYTES = 256 * 2**20


class GumbelNoise:
    """Gumbel noise of generations, drawn once per seed and kept while it is used often."""

    def __init__(self, shape: tuple[int, int, int], cache_bytes: int = CACHE_BYTES) -> None:
        """Noise of the shape [T, K, V]."""
        self.shape = shape
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._capacity = cache_bytes // (4 * int(np.prod(shape)))

    def of(self, seed: int) -> Tensor:
        """[T, K, V] standard Gumbel noise of one seed, float32; the caller must not write to it."""
        if seed in self._kept:
            self._kept.move_to_end(seed)
            return self._kept[seed]
        exponential = np.random.default_rng(seed).standard_exponential(self.shape, dtype=np.float32)
        noise = -torch.from_numpy(exponential).clamp_min_(torch.finfo(torch.float32).tiny).log_()
        self._kept[seed] = noise
        while len(self._kept) > max(self._capacity, 1):
            self._kept.popitem(last=False)
        return noise

    def batch(self, seeds: Sequence[int], device: torch.device) -> Tensor:
        """[T, B, K, V] noise of the rows of a batch."""
        return torch.stack([self.of(seed) for seed in seeds], dim=1).to(device)


def top_k_only(logits: Tensor, k: int | None) -> Tensor:
    """Logits [..., V] with everything below the k-th largest at minus infinity; None or 0 leaves them as they are."""
    if not k or k >= logits.shape[-1]:
        return logits
    threshold = logits.topk(k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, -torch.inf)
