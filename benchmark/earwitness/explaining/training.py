"""The training loop of dictionaries: frames in batches, Adam, a bar where a terminal shows it.

Nothing is kept on disk: a box gives a submission no folder of its own, and a fit takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

Step = Callable[[Tensor], float]
"""From a batch of frames [B, D] to its loss; leaves the parameters' gradients in their `grad`."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast a dictionary is trained."""

    epochs: int = 40
    """Times that every training frame is seen."""
    batch: int = 512
    """Frames a step."""
    rate: float = 2e-3
    """Adam's step at its largest."""
    rise: float = 0.05
    """Share of the steps in which the rate rises from 0."""
    fall: float = 0.3
    """Share of the steps, at the end, in which it falls to 0."""

    def steps(self, frames: int) -> int:
        """Steps over that many frames; the rest of an epoch that fills no batch is left out of it."""
        return self.epochs * max(1, frames // self.batch)

    def share(self, step: int, steps: int) -> float:
        """Share of the rate at a step.

        >>> [round(Plan(rise=0.2, fall=0.2).share(step, 10), 2) for step in range(10)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
        """
        rising = (step + 1) / max(1.0, self.rise * steps)
        falling = (steps - step) / max(1.0, self.fall * steps)
        return min(1.0, rising, falling)


def train(
    parameters: Sequence[Tensor], frames: np.ndarray, step: Step, plan: Plan, seed: int, settle: Callable[[], None]
) -> None:
    """Train parameters in place on frames [T, D], by Adam, in an order drawn from `seed`; `settle` follows each step.

    Learning rate: linear up, constant, linear down. Runs on the CPU, in one thread where torch is set to one.
    """
    given = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))
    size, rng = min(plan.batch, len(given)), np.random.default_rng((seed, 1))
    steps = plan.steps(len(given))
    # eps as in Gao et al. (arXiv 2406.04093): gradients of a mean over many frames are small.
    optimiser = torch.optim.Adam(parameters, lr=plan.rate, eps=6.25e-10, fused=True)
    order = np.empty(0, dtype=np.int64)
    with progress() as bar:
        task = bar.add_task("dictionary", total=steps)
        for number in range(steps):
            if len(order) < size:
                order = rng.permutation(len(given))
            batch, order = given[torch.from_numpy(order[:size])], order[size:]
            loss = step(batch)
            optimiser.param_groups[0]["lr"] = plan.rate * plan.share(number, steps)
            optimiser.step()
            settle()
            if number % 20 == 0 or number == steps - 1:
                bar.update(task, completed=number + 1, description=f"dictionary, loss {loss:.3f}")


def progress() -> Progress:
    """A bar on stderr; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
