from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from earwitness.explaining.permutation_sampling import draw_orders, joined, mean_contributions


def worth(members: np.ndarray) -> np.ndarray:
    """Values [..., 2] of coalitions [..., W] of a game with interactions."""
    pairs = np.random.default_rng(0).normal(size=(members.shape[-1],) * 2 + (2,))
    return np.einsum("...i,...j,ijf->...f", members.astype(float), members.astype(float), pairs)


def slow(orders: np.ndarray) -> np.ndarray:
    """What each player adds, one order and one player after another."""
    found = np.zeros((orders.shape[1], 2))
    for order in orders:
        there = np.zeros(orders.shape[1], dtype=bool)
        for player in order:
            with_it = there.copy()
            with_it[player] = True
            found[player] += worth(with_it) - worth(there)
            there = with_it
    return found / len(orders)


def test_contributions_are_those_of_a_slow_version() -> None:
    orders = draw_orders(5, 7, seed=3)
    np.testing.assert_allclose(mean_contributions(orders, worth(joined(orders))), slow(orders))


def test_all_orders_give_the_shapley_values_of_a_game_of_pairs() -> None:
    orders = np.array(list(permutations(range(4))))
    pairs = np.random.default_rng(0).normal(size=(4, 4, 2))
    exact = (pairs.sum(0) + pairs.sum(1)) / 2  # each pair's worth is shared by halves
    np.testing.assert_allclose(mean_contributions(orders, worth(joined(orders))), exact)


def test_contributions_add_up_to_the_whole_in_any_order() -> None:
    orders = draw_orders(6, 1, seed=0)
    values = worth(joined(orders))
    np.testing.assert_allclose(mean_contributions(orders, values).sum(0), values[0, -1] - values[0, 0])


@pytest.mark.parametrize("players", [0, 1])
def test_games_of_one_player_and_of_none_have_orders(players: int) -> None:
    orders = draw_orders(players, 3, seed=0)
    assert joined(orders).shape == (3, players + 1, players)
    assert mean_contributions(orders, np.zeros((3, players + 1, 2))).shape == (players, 2)


def test_orders_are_drawn_evenly() -> None:
    first = draw_orders(4, 4000, seed=1)[:, 0]
    np.testing.assert_allclose(np.bincount(first, minlength=4) / 4000, 0.25, atol=0.03)
