"""Exact Shapley values of the words of a prompt: the model truth of the prompt track.

The players are the words, the game is the log-likelihood of the frames asked for under the conditional branch,
teacher-forced, with all other words and the special tokens removed (Shapley 1953; every one of the 2^W coalitions).
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.scoring.prompt.masks import word_mask
from earwitness.tracks.prompt import Encoded, Removal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.prompt import PromptItem, PromptModel

BATCH = 64
"""Coalitions that are asked at once: few enough for their logits to stay near the processor."""
MOST_WORDS = 12
"""Words beyond which 2^W coalitions are not asked."""


@lru_cache(maxsize=16)
def coalitions(words: int) -> NDArray[np.bool_]:
    """All subsets [2^W, W] of the words: row r holds word w where bit w of r is set; read-only.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    rows: NDArray[np.bool_] = (np.arange(2**words)[:, None] >> np.arange(words)) % 2 == 1
    rows.flags.writeable = False
    return rows


def marginal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each word adds to each coalition without it, [W, 2^(W-1)], of a game [2^W] in the order of `coalitions`.

    >>> marginal(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    members = coalitions(len(values).bit_length() - 1)
    rows = np.arange(len(values))
    return np.stack(
        [values[rows[~members[:, w]] | (1 << w)] - values[rows[~members[:, w]]] for w in range(members.shape[1])]
    )


def shapley(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values [W] of a game [2^W] in the order of `coalitions`; they sum to the grand coalition's gain.

    phi_w = sum over S without w of |S|! (W - |S| - 1)! / W! (v(S + w) - v(S)).

    >>> shapley(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [2.0, 3.0]
    """
    words = len(values).bit_length() - 1
    members = coalitions(words)
    share = np.array([factorial(s) * factorial(words - s - 1) / factorial(words) for s in range(words)])
    sizes = members.sum(1)
    return np.array([share[sizes[~members[:, w]]] @ gains for w, gains in enumerate(marginal(values))])


def game(model: PromptModel, item: PromptItem) -> NDArray[np.float64]:
    """Log-likelihood [2^W] in nats of the frames that an item asks for, under every coalition of its words."""
    owner = model.words([item.prompt])[0]
    members = coalitions(int(owner.max()) + 1)
    masks = torch.from_numpy(np.stack([word_mask(row, owner) for row in members]).astype(np.float32))
    text, codes = model.encode([item.prompt]), torch.from_numpy(item.codes)[None].to(model.device)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(masks), BATCH):
            mask = masks[start : start + BATCH].to(model.device)
            rows = Encoded(text.states.expand(len(mask), -1, -1), text.mask.expand(len(mask), -1))
            same = codes.expand(len(mask), -1, -1)
            logits = model.logits(same, rows, mask, Removal.SCALE)
            chosen = logits.gather(-1, same[..., None])[..., 0] - logits.logsumexp(-1)
            parts.append(chosen[..., item.asked].double().sum((1, 2)))
    return np.asarray(torch.cat(parts).cpu().numpy(), dtype=np.float64)
