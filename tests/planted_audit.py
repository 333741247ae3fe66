"""Metrics with planted worth: one that is sound, one that is useless, one that a full mask wins."""

import hashlib

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.responses.prompt import TokenWeights


@metric(reads=TokenWeights, direction="higher")
def planted_sound(weights):
    """How far the first word stands above the others."""
    return float(weights[:, 0].mean() - weights[:, 1:].mean())


@metric(reads=TokenWeights, direction="higher")
def planted_useless(weights):
    """A number that is fixed by the weights and says nothing of them."""
    digest = hashlib.sha256(np.ascontiguousarray(weights, dtype=np.float32).tobytes()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@metric(reads=TokenWeights, direction="higher")
def planted_gameable(weights):
    """How much is marked, and a little of where."""
    return float(weights.mean() + 0.3 * weights[:, 0].mean())
