"""A box's answers for a batch: where it is lost, the item whose doing that is is found, and the others are answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from earwitness.box import Answer, BoxError, Cost
from earwitness.errors import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.box import Box
    from earwitness.tracks import Item

LOST_IN_A_ROW = 2
"""Items that may each cost the box before the rest of the entrant's are given up."""


@dataclass
class Losses:
    """Items in a row that cost the box, over the shards of an entrant."""

    in_a_row: int = 0
    last: BoxError | None = None

    def add(self, error: BoxError) -> None:
        """Count one more."""
        self.in_a_row, self.last = self.in_a_row + 1, error

    def untried(self, item: Item) -> Answer | None:
        """What to answer for an item where enough is lost; None where it is to be tried."""
        if self.in_a_row < LOST_IN_A_ROW or self.last is None:
            return None
        reason = f"not tried: the {LOST_IN_A_ROW} items before it cost the explainer's process ({self.last})"
        return Answer(item.id, self.last.status, short(reason))


def answers_of(box: Box, items: Sequence[Item], losses: Losses | None = None) -> list[Answer]:
    """One answer for each item; a batch that costs the box is tried again item by item, to find the culprit.

    `losses` are those of the entrant so far: where two items in a row cost the box no other is tried.
    """
    losses = losses or Losses()
    spent = 0.0
    if losses.untried(items[0]) is None and len(items) > 1:
        try:
            answers = box.explain(items)
        except BoxError as error:
            spent = error.seconds / len(items)
        else:
            losses.in_a_row = 0
            return answers
    return [_spending(spent, losses.untried(item) or _alone(box, item, losses)) for item in items]


def _spending(seconds: float, answer: Answer) -> Answer:
    """An answer with what was spent on it in vain."""
    return replace(answer, cost=replace(answer.cost, seconds=answer.cost.seconds + seconds))


def _alone(box: Box, item: Item, losses: Losses) -> Answer:
    try:
        (answer,) = box.explain([item])
    except BoxError as error:
        losses.add(error)
        return lost(item, error)
    losses.in_a_row = 0
    return answer


def lost(item: Item, error: BoxError) -> Answer:
    """What is answered for an item that cost the box."""
    return Answer(item.id, error.status, str(error), Cost(error.seconds))
