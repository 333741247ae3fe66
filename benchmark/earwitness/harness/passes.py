"""How many passes of a model some CPU seconds are worth, measured on the trusted copy while it scores.

Passes are counted where a submission's code runs, which can change any count: they are self-reported. What it cannot
change is how many passes the seconds leave room for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from earwitness.box.meter import Metered


class PassTimer:
    """CPU seconds of a pass over one sequence, by the fastest call; of a model that is None, or is never asked, nothing
    is known.

    A metered module without parameters computes nothing: it is told of each run when that is done, and what lies
    between two of them is the time of the later one.
    """

    def __init__(self, model: Metered | None) -> None:
        self._model = model
        self._begun = 0.0
        self._is_told = False
        self._fastest: float | None = None
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        if self._model is not None:
            metered = self._model.metered
            self._is_told = next(metered.parameters(), None) is None
            self._begun = time.process_time()
            self._hooks = [
                metered.register_forward_pre_hook(self._before),
                metered.register_forward_hook(self._after, with_kwargs=True),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _before(self, *_: Any) -> None:
        if not self._is_told:
            self._begun = time.process_time()

    def _after(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        assert self._model is not None
        sequences, done = self._model.sequences(args, kwargs), time.process_time()
        if sequences:
            pace = (done - self._begun) / sequences
            self._fastest = pace if self._fastest is None else min(pace, self._fastest)
        self._begun = done

    def plausible(self, seconds: float) -> float | None:
        """Forward passes that so many CPU seconds leave room for, a backward counting as two; None where not known."""
        return seconds / self._fastest if self._fastest else None
