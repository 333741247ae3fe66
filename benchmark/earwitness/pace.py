"""How far a stage is, once a minute: where nobody watches a terminal a bar shows nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """Says how many steps of a stage are done, and how long the others may take: a minute apart, at least."""

    def __init__(
        self, label: str, total: int, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.label, self.total, self.done = label, total, 0
        self._say, self._clock = say, clock
        self._begun = self._said = clock()

    def advance(self, steps: int = 1) -> None:
        """Count steps that are done."""
        self.done, now = self.done + steps, self._clock()
        if now - self._said < MINUTE or not 0 < self.done < self.total:
            return
        self._said = now
        left = (now - self._begun) / self.done * (self.total - self.done)
        self._say(f"{self.label}: {self.done} of {self.total}, about {duration(left)} left")


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(20), duration(95), duration(5400), duration(360000)
    ('1 minute', '2 minutes', '1.5 hours', '100 hours')
    """
    hours, minutes = seconds / 3600, max(1, round(seconds / MINUTE))
    if hours >= 1:
        return f"{hours:.{0 if hours >= 10 else 1}f} hours"
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
