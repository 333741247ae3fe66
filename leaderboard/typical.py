"""Which item is shown first, and on which ones the leader's values are below random's, by the stored values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reading import Record, metrics, query, ranking

SIGNS = {"higher": 1.0, "lower": -1.0}
Values = Mapping[str, Mapping[str, float]]
"""By metric and item; higher is more faithful."""


def of_headlines(key: str, entrant: str) -> dict[str, dict[str, float]]:
    """An entrant's values by headline metric and item, signed so that higher is more faithful."""
    signs = {
        row["metric"]: SIGNS[row["direction"]] for row in metrics(key) if row["headline"] and row["direction"] in SIGNS
    }
    found: dict[str, dict[str, float]] = {}
    for row in query("SELECT * FROM item_values WHERE task_key = ? AND entrant = ?", key, entrant):
        if row["metric"] in signs and row["value"] is not None:
            found.setdefault(row["metric"], {})[row["item"]] = signs[row["metric"]] * row["value"]
    return found


def typical(values: Values, order: Sequence[str]) -> str:
    """The first item of `order` whose places among the values of each metric lie nearest to the middle, on average.

    A place is the mean of the ranks that equal values share, from 0 to 1.

    >>> typical({"m": {"a": 0.1, "b": 0.9, "c": 0.5}}, ["a", "b", "c"])
    'c'
    """
    distances: dict[str, list[float]] = {}
    for by_item in values.values():
        ordered = sorted(by_item.values())
        for item, value in by_item.items():
            below = sum(other < value for other in ordered)
            equal = sum(other == value for other in ordered)
            distances.setdefault(item, []).append(abs((below + equal / 2) / len(ordered) - 0.5))
    known = [item for item in order if item in distances]
    return min(known, key=lambda item: sum(distances[item]) / len(distances[item]), default=order[0])


def heard(key: str, entrant: str, order: Sequence[str]) -> list[str]:
    """Those items of `order` of which an entrant's explanation left a sound; all of them where it left none."""
    sql = "SELECT DISTINCT item FROM exhibits WHERE task_key = ? AND entrant = ? AND kind = 'sound'"
    kept = {row["item"] for row in query(sql, key, entrant)}
    return [item for item in order if item in kept] or list(order)


def below(values: Mapping[str, float], floor: Mapping[str, float]) -> list[str]:
    """Items on which a value is below the floor's, those furthest below first."""
    both = [item for item in values if item in floor and values[item] < floor[item]]
    return sorted(both, key=lambda item: (values[item] - floor[item], item))


def leader_of(key: str) -> str:
    """The entrant that stands first; empty where there is none."""
    return next((str(row["entrant"]) for row in ranking(key)), "")


def failing(picked: Record) -> tuple[str, list[str], int]:
    """The leader, the items on which its value of the main metric is below random's, and on how many both have one.

    No items where the leader is the floor, or the main metric has no direction.
    """
    key, leader, floor, metric = (
        picked["task_key"],
        leader_of(picked["task_key"]),
        picked["floor"],
        picked["main_metric"],
    )
    if not leader or leader == floor or not floor:
        return leader, [], 0
    mine, theirs = (of_headlines(key, name).get(metric, {}) for name in (leader, floor))
    return leader, below(mine, theirs), len(mine.keys() & theirs.keys())
