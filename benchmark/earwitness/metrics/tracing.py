"""Tracing: how a factor settles along the steps of a diffusion, by a dictionary's probe and by the sound itself.

At each step a diffusion predicts the clean latents. A probe reads a factor off their features; an independent estimator
reads it off the sound that they decode to, which no dictionary has a part in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.responses.concept import TracedProbe, TracedProbeAndSound

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEAST = 0.5
"""Share of the traced clips that must be told at a step, at least."""
STILL = 1e-9
"""Movement from the first to the last step, relative to the values, under which nothing moved."""


def settling(told: ArrayLike) -> NDArray[np.float64]:
    """How far a factor still is, at each step, from what it becomes: [T], 1 at the first step and 0 at the last.

    `told` [B, T] is the factor of each traced clip at each step. s_t = |p_t - p_0|_1 / |p_T - p_0|_1, summed over clips
    (arXiv 2510.23802), where p_T is the first and noisiest step and p_0 the last. Where p_t, p_T or p_0 of a clip is
    NaN, step t is without that clip. Raises UndefinedError where less than half of the clips are left, or the factor
    does not move.

    >>> settling([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]]).tolist()
    [1.0, 0.4, 0.0]
    """
    p = np.asarray(told, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(f"told must be [B, T] of at least 2 steps; found shape {list(p.shape)}")
    ends = np.isfinite(p[:, 0]) & np.isfinite(p[:, -1])
    used = np.isfinite(p) & ends[:, None]
    counts = used.sum(0)
    if counts.min() < max(1, LEAST * len(p)):
        raise UndefinedError(f"the factor is told in only {counts.min()} of {len(p)} traced clips at some step")
    left = np.where(used, np.abs(p - p[:, -1:]), 0.0).sum(0)
    whole = np.where(used, np.abs(p[:, :1] - p[:, -1:]), 0.0).sum(0)
    if whole.min() <= STILL * np.abs(p[ends]).max(initial=0.0, where=np.isfinite(p[ends])):
        raise UndefinedError("the factor does not move from the first step to the last")
    return np.asarray(left / whole)


@metric(reads=TracedProbe, direction="none", range=(0.0, np.inf))
def trace(probe: ArrayLike) -> float:
    """Mean over steps of how far a factor still is from what it becomes: small where it settles early.

    `probe` [B, T] as for `settling`. A description of what the dictionary says, not a merit. Raises UndefinedError as
    `settling` does.

    >>> round(trace([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]]), 12)
    0.466666666667
    """
    return float(settling(real("probe", probe, 2)).mean())


@metric(reads=TracedProbeAndSound, direction="lower", range=(0.0, np.inf))
def trace_error(probe: ArrayLike, sound: ArrayLike) -> float:
    """Mean over steps of how far the settling that a probe tells is from the settling of the sound itself.

    `probe` and `sound` [B, T] as for `settling`; a clip at a step in which the estimator hears nothing (NaN in `sound`)
    counts in neither. A probe that tells no movement at all has the factor settled at once: s_t = 0. Ours. Raises
    UndefinedError where `settling` of the sound does.

    >>> round(trace_error([[0.0, 3.0, 4.0], [2.0, 2.0, 1.0]], [[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]]), 12)
    0.033333333333
    """
    p, x = real("probe", probe, 2), np.asarray(sound, dtype=np.float64)
    if p.shape != x.shape:
        raise ValueError(f"shapes must be equal; found probe {list(p.shape)}, sound {list(x.shape)}")
    true = settling(x)
    try:
        said = settling(np.where(np.isfinite(x), p, np.nan))
    except UndefinedError:
        # The sound moves and enough of it is heard, so that it is the probe that stands still.
        said = np.zeros(len(true))
    return float(np.abs(said - true).mean())
