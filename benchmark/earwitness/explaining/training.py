"""The training loop of dictionaries: frames in batches, Adam, a bar where a terminal shows it, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from earwitness.explaining.checkpoints import Checkpoint, Kept

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
    momentum: float = 0.9
    """Adam's first beta."""

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


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), in place.

    torch's own imports its compiler when it is built, which takes longer than many a fit.
    """

    def __init__(self, parameters: Sequence[Tensor], betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._parameters, self._betas = parameters, betas
        self.steps = 0
        self._moments = [(torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in parameters]

    @property
    def moments(self) -> list[np.ndarray]:
        """What a step changes beside the parameters and `steps`."""
        return [moment.numpy() for pair in self._moments for moment in pair]

    @torch.no_grad()
    def step(self, rate: float, eps: float = 6.25e-10) -> None:
        """Move parameters against their `grad`; eps as in Gao et al. (arXiv 2406.04093), for small gradients."""
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in self._betas)
        for parameter, (mean, square) in zip(self._parameters, self._moments, strict=True):
            gradient = parameter.grad
            assert gradient is not None
            mean.lerp_(gradient, 1 - self._betas[0])
            square.mul_(self._betas[1]).addcmul_(gradient, gradient, value=1 - self._betas[1])
            parameter.addcdiv_(mean, (square / second).sqrt_().add_(eps), value=-rate / first)


def train(
    parameters: Sequence[Tensor],
    frames: np.ndarray,
    step: Step,
    plan: Plan,
    seed: int,
    settle: Callable[[], None] = lambda: None,
    kept: Kept | None = None,
) -> None:
    """Train parameters in place on frames [T, D], by Adam, in an order drawn from `seed`; `settle` follows each step.

    Where `kept` says what the fit is, it goes on from its checkpoint, if it has one, to the same bits. Learning rate:
    linear up, constant, linear down. Runs on the CPU, in one thread where torch is set to one.
    """
    given = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))
    size, rng = min(plan.batch, len(given)), np.random.default_rng((seed, 1))
    steps, an_epoch = plan.steps(len(given)), max(1, len(given) // plan.batch)
    optimiser = Adam(parameters, (plan.momentum, 0.999))
    own = [parameter.detach().numpy() for parameter in parameters]
    about, others = (f"{kept.about} {plan} {seed}", kept.arrays) if kept else ("", ())
    checkpoint = Checkpoint([*own, *optimiser.moments, *others], given.numpy(), about)
    optimiser.steps = reached = checkpoint.load()
    order = np.empty(0, dtype=np.int64)
    with progress() as bar:
        task = bar.add_task("dictionary", total=steps)
        for number in range(steps):
            if number % an_epoch == 0:
                order = rng.permutation(len(given))
            if number < reached:
                continue
            at = number % an_epoch * size
            # Copies whole rows, where indexing would go entry by entry.
            loss = step(given.index_select(0, torch.from_numpy(order[at : at + size])))
            optimiser.step(plan.rate * plan.share(number, steps))
            settle()
            if checkpoint.due():
                checkpoint.save(number + 1)
            if number % 20 == 0 or number == steps - 1:
                bar.update(task, completed=number + 1, description=f"dictionary, loss {loss:.3f}")
    if reached < steps:
        checkpoint.save(steps)


def progress() -> Progress:
    """A bar on stderr; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
