"""Readings: what each metric of a band card reads, with its parameters checked before anything is generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.errors import InvalidCardError
from earwitness.scoring.declared import declared, require_no_choices, where

if TYPE_CHECKING:
    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task

DENSITY, HALF = "density", "half"
CUTS = (DENSITY, HALF)
"""How a map is cut into cells that it marks and cells that it does not: as many as are true, or the upper half of its
range. At the truth's density precision, recall and F1 are one number."""
TOP = 25
"""Per cent of cells that a word's attention is taken in, where a card does not say."""
CHOSEN = ("tf_iou", "precision", "recall", "f1")
DELETION = ("deletion_drop", "deletion_others")
FREQUENCY = (*CHOSEN, "tf_ap", "frequency_ap", "profile_corr", "tf_pointing", "truth_density")
"""Metrics that nothing but a frequency axis gives a meaning."""
PARAMETERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CHOSEN, ("cut",)),
    "tf_ap": (),
    "time_ap": (),
    "frequency_ap": (),
    "profile_corr": (),
    "tf_pointing": ("tolerance",),
    "truth_density": (),
    "swap_corr": (),
    **dict.fromkeys(DELETION, ("top", "judge")),
    "deletion_noise": ("judge",),
}
"""Parameters of each metric of the track."""
OF_TRUTH = (*CHOSEN, "tf_ap", "time_ap", "frequency_ap", "profile_corr", "tf_pointing", "truth_density")
"""Metrics that read where the stems sound."""


@dataclass(frozen=True)
class Reading:
    """One metric of a card."""

    id: str
    metric: Metric
    cut: str
    tolerance: int
    """Bins and frames by which a peak may miss."""
    top: int
    """Per cent of cells that a word's attention is taken in."""
    judge: str
    """Name of the judge; empty where none is asked."""

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name


def read_card(task: Task) -> list[Reading]:
    """Readings of a task's metrics, in the card's order.

    Raises InvalidCardError where a metric is not of this track, has an unknown parameter or value, or lacks a judge.
    """
    require_no_choices(task)
    return [_read(task, card) for card in task.card.metrics]


def _read(task: Task, card: MetricCard) -> Reading:
    at, metric, given = where(task, card), declared(task, card, PARAMETERS), card.parameters
    cut = str(given.get("cut", DENSITY))
    if cut not in CUTS:
        raise InvalidCardError(f"{at}: cut is one of {', '.join(CUTS)}, not {cut!r}")
    return Reading(
        id=card.id,
        metric=metric,
        cut=cut,
        tolerance=_whole(at, "tolerance", given.get("tolerance", 0), (0, 1000)),
        top=_whole(at, "top", given.get("top", TOP), (1, 100)),
        judge=_judge(at, task, given) if "judge" in PARAMETERS[metric.name] else "",
    )


def _whole(at: str, name: str, value: Any, ends: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not ends[0] <= value <= ends[1]:
        raise InvalidCardError(f"{at}: {name} is a whole number from {ends[0]} to {ends[1]}, not {value!r}")
    return value


def _judge(at: str, task: Task, given: dict[str, Any]) -> str:
    names = [judge.name for judge in task.card.judges]
    if not names:
        raise InvalidCardError(f"{at} asks a judge, and the card has none")
    name = str(given.get("judge", names[0]))
    if name not in names:
        raise InvalidCardError(f"{at}: judge is one of {', '.join(names)}, not {name!r}")
    return name
