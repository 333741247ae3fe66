"""The one training loop: resumable, bit for bit the same however often it is stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from earwitness.atomic import atomic_write

Loss = Callable[[int, np.random.Generator], Tensor]
"""From the step's number and the step's own generator to a scalar loss."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast a module is trained."""

    name: str
    steps: int
    learning_rate: float
    seed: int
    warm_up: int = 150
    final_share: float = 0.04
    """Share of the learning rate that the cosine decays to."""
    cycles: int = 1
    """Cosines one after another, each from half the height of the last (Loshchilov and Hutter, arXiv 1608.03983)."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    weight_decay: float = 0.01

    def rate(self, step: int) -> float:
        """Share of the learning rate at a step: linear warm-up, then cosines."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        length = max(1, self.steps // self.cycles)
        cycle = min(step // length, self.cycles - 1)
        begin = cycle * length if cycle else self.warm_up
        done = (step - begin) / max(1, (cycle + 1) * length - begin)
        height = 0.5**cycle - self.final_share
        return self.final_share + height * 0.5 * (1 + math.cos(math.pi * done))


@dataclass
class TrainingCheckpoint:
    """Where a training stands: in one file, moved into place."""

    path: Path
    every: float = 60.0
    """Seconds between two writes."""
    step: int = 0
    seconds: float = 0.0

    def load(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Restore module and optimiser, if there is a file."""
        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=True)
        module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write everything that `load` needs."""
        state = {"module": module.state_dict(), "optimiser": optimiser.state_dict()}
        with atomic_write(self.path) as temporary:
            torch.save({**state, "step": self.step, "seconds": self.seconds}, temporary)


def fit(
    module: nn.Module,
    loss: Loss,
    plan: TrainingPlan,
    checkpoint: TrainingCheckpoint,
    visit: Callable[[TrainingCheckpoint], None] | None = None,
) -> float:
    """Train a module in place and return the seconds it took, those before an interruption included.

    The same call resumes from the checkpoint. `visit` is called after each checkpoint that is written on the way.
    """
    optimiser = torch.optim.AdamW(
        module.parameters(), plan.learning_rate, weight_decay=plan.weight_decay, betas=(0.9, 0.98)
    )
    checkpoint.load(module, optimiser)
    module.train()
    clock = _Clock(checkpoint)
    with _progress() as progress:
        bar = progress.add_task(plan.name, total=plan.steps, completed=checkpoint.step, loss=float("nan"))
        while checkpoint.step < plan.steps:
            value = _step(module, loss, plan, checkpoint.step, optimiser)
            checkpoint.step += 1
            _report(progress, bar, plan, checkpoint.step, value)
            if clock.due():
                clock.stamp()
                checkpoint.save(module, optimiser)
                if visit is not None:
                    visit(checkpoint)
                    module.train()
    clock.stamp()
    checkpoint.save(module, optimiser)
    module.eval()
    return checkpoint.seconds


def _step(module: nn.Module, loss: Loss, plan: TrainingPlan, step: int, optimiser: torch.optim.Optimizer) -> float:
    for group in optimiser.param_groups:
        group["lr"] = plan.learning_rate * plan.rate(step)
    rng = np.random.default_rng(np.random.SeedSequence((plan.seed, step)))
    optimiser.zero_grad(set_to_none=True)
    value = loss(step, rng)
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
    optimiser.step()
    return float(value.detach())


class _Clock:
    """Counts the seconds spent in training into the checkpoint."""

    def __init__(self, checkpoint: TrainingCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.base = checkpoint.seconds
        self.begin = self.last = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.checkpoint.every

    def stamp(self) -> None:
        self.last = time.monotonic()
        self.checkpoint.seconds = self.base + self.last - self.begin


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))


def _report(progress: Progress, bar: TaskID, plan: TrainingPlan, step: int, value: float) -> None:
    progress.update(bar, completed=step, loss=value)
    if not progress.console.is_terminal and (step % 50 == 0 or step == plan.steps):
        progress.console.print(f"{plan.name} step {step}/{plan.steps} loss {value:.4f}", highlight=False)
