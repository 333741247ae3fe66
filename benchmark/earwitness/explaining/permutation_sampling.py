"""Shapley values as means over random orders in which players join.

Castro et al. 2009, Štrumbelj and Kononenko 2010.
"""

from __future__ import annotations

import numpy as np


def draw_orders(players: int, orders: int, seed: int) -> np.ndarray:
    """Orders [P, W] in which players join, each drawn evenly from all."""
    return np.random.default_rng(seed).permuted(np.tile(np.arange(players), (orders, 1)), axis=1)


def joined(orders: np.ndarray) -> np.ndarray:
    """Coalitions [P, W + 1, W] of orders [P, W]: nobody, then one player after another.

    >>> joined(np.array([[1, 0]])).astype(int).tolist()
    [[[0, 0], [0, 1], [1, 1]]]
    """
    turn = np.argsort(orders, axis=1)
    found: np.ndarray = turn[:, None] < np.arange(orders.shape[1] + 1)[:, None]
    return found


def mean_contributions(orders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over orders [P, W] of what each player adds, [W, ...], from the coalitions' values [P, W + 1, ...].

    >>> mean_contributions(np.array([[0, 1], [1, 0]]), np.array([[0.0, 1.0, 4.0], [0.0, 2.0, 4.0]])).tolist()
    [1.5, 2.5]
    """
    added = np.diff(values, axis=1)
    turn = np.argsort(orders, axis=1).reshape(*orders.shape, *[1] * (added.ndim - 2))
    return np.asarray(np.take_along_axis(added, turn, axis=1).mean(axis=0))
