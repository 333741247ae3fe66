"""Cross-attention read as an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.token_maps import Average, averaged
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass
class Attention(PromptExplainer):
    """Cross-attention of the teacher-forced sound, reduced over layers and heads, shared among the text's tokens."""

    reduce: str = "mean"
    """Over layers and heads: mean or max."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 16
    """Prompts a pass."""

    def __post_init__(self) -> None:
        if self.reduce not in {"mean", "max"}:
            raise ValueError(f"reduce must be mean or max; found {self.reduce!r}")

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        maps: list[TokenMap] = []
        for start in range(0, len(items), self.batch):
            maps += self._pass(model, items[start : start + self.batch])
        return maps

    @torch.no_grad()
    def _pass(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
        attention = model.cross_attention(codes, model.encode([item.prompt for item in items])).flatten(1, 2)
        reduced = attention.mean(1) if self.reduce == "mean" else attention.amax(1)
        shares = [_shares(rows[:, : len(item.tokens)], item) for rows, item in zip(reduced, items, strict=True)]
        return [_to_map(averaged(share, item, self.average)) for share, item in zip(shares, items, strict=True)]


def _shares(rows: Tensor, item: PromptItem) -> np.ndarray:
    """Rows [F, N] without the special tokens' share, each summing to 1."""
    attended = rows.double().cpu().numpy() * ~item.special
    shares: np.ndarray = attended / np.maximum(attended.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return shares


def _to_map(shares: np.ndarray) -> TokenMap:
    """Shares over their largest."""
    return TokenMap(weights=shares / max(float(shares.max()), np.finfo(np.float64).tiny))
