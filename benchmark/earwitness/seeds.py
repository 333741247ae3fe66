"""The one door of randomness: seeds derived from what they are for."""

from __future__ import annotations

import hashlib


def derive(*parts: str | int) -> int:
    """A seed in [0, 2**63) from the task's seed key, the item, the generation seed and the explainer seed.

    >>> derive("micro_prompt@1", "test-0", 0) == derive("micro_prompt@1", "test-0", 0)
    True
    >>> derive("a", "bc") == derive("ab", "c")
    False
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
