"""Shipped tasks cut down to few items, metrics and steps, for tests that run one from end to end."""

from __future__ import annotations

from typing import Any

from earwitness import registry
from earwitness.task import Task


def cut(id: str, items: int, *metrics: str, **parameters: Any) -> Task:
    """A task with its first items and the metrics of these ids, its model with some other parameters."""
    task = registry.task(id)
    card = task.card
    kept = tuple(metric for metric in card.metrics if metric.id in metrics)
    update = {
        "metrics": kept,
        "main_metric": kept[0].id,
        "dataset": card.dataset.model_copy(update={"items": items}),
        "model": card.model.model_copy(update={"parameters": {**card.model.parameters, **parameters}}),
    }
    return Task(card.model_copy(update=update), task.folder)
