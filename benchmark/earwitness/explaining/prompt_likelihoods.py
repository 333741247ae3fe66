"""Log-likelihoods of prompts' sounds under masks of their tokens, all masks of all prompts sharing the passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.batches import in_passes
from earwitness.tracks.prompt import Encoded, PromptItem, PromptModel, Removal, log_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence


@torch.no_grad()
def masked_likelihoods(
    model: PromptModel, items: Sequence[PromptItem], masks: Sequence[np.ndarray], removal: Removal, batch: int
) -> list[np.ndarray]:
    """Log-likelihoods [R, F] float64 (nats) of each item's sound under its R masks [R, N] in [0, 1].

    `removal` says what becomes of a token whose mask is below 1; `batch` is the most sequences a pass, fewer where they
    do not fit into memory (`explaining.batches`).
    """
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    padded = np.zeros((sum(map(len, masks)), text.states.shape[1]), dtype=np.float32)
    owners = np.repeat(np.arange(len(items)), [len(mask) for mask in masks])
    for row, mask in zip(padded, (mask for rows in masks for mask in rows), strict=True):
        row[: len(mask)] = mask

    def asked(part: slice) -> np.ndarray:
        owner = torch.as_tensor(owners[part], device=model.device)
        mask = torch.as_tensor(padded[part], device=model.device)
        rows = Encoded(text.states[owner], text.mask[owner])
        logits = model.logits(codes[owner], rows, mask, removal)
        found: np.ndarray = log_likelihood(logits, codes[owner]).double().cpu().numpy()
        return found

    results = list(in_passes(asked, len(padded), batch))
    return np.split(np.concatenate(results), np.cumsum([len(mask) for mask in masks])[:-1])
