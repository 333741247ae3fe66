"""Readings: what each metric of a prompt card reads, with its parameters checked before anything is generated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.scoring.declared import declared, require_no_choices, where
from earwitness.scoring.prompt.masks import SOFT, share
from earwitness.tracks.prompt import Removal

if TYPE_CHECKING:
    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task


class Source(StrEnum):
    """Where a metric's arrays come from."""

    SOUND = "sound"
    """A judge's answers to sounds generated under a mask."""
    NOISE = "noise"
    """A judge's answers to unmasked regenerations."""
    LOGITS = "logits"
    """The model's own logits under a mask."""
    WEIGHTS = "weights"
    """The explanation alone."""
    ROLES = "roles"
    """Data truth: the roles of the words."""
    INTERVALS = "intervals"
    """Data truth: when the events of the words sound."""
    SHAPLEY = "shapley"
    """Model truth: exact Shapley values."""
    NULL = "null"
    """Model truth: words without influence."""


SOURCES = {
    "fid_f": Source.SOUND,
    "fid_cf": Source.SOUND,
    "kl_f": Source.SOUND,
    "kl_cf": Source.SOUND,
    "fid_noise": Source.NOISE,
    "kl_noise": Source.NOISE,
    "logit_kl_f": Source.LOGITS,
    "logit_kl_cf": Source.LOGITS,
    "size": Source.WEIGHTS,
    "word_ap": Source.ROLES,
    "interval_top1": Source.INTERVALS,
    "shapley_spearman": Source.SHAPLEY,
    "null_word_mass": Source.NULL,
}
PARAMETERS = {
    Source.SOUND: {"mask", "removal", "judge"},
    Source.NOISE: {"judge"},
    Source.LOGITS: {"mask", "removal"},
    Source.ROLES: {"roles"},
}


@dataclass(frozen=True)
class Reading:
    """One metric of a card."""

    id: str
    metric: Metric
    source: Source
    mask: str
    """Name of the mask: `soft`, `top30`."""
    removal: Removal
    judge: str
    """Name of the judge; empty where none is asked."""
    roles: str
    """`class`, or `causal` for every certified role."""

    @property
    def complement(self) -> bool:
        """Whether the explanation's words are removed rather than kept."""
        return self.metric.name.endswith("_cf")

    @property
    def repeated(self) -> bool:
        """Whether the value depends on the generation seed."""
        return self.source in {Source.SOUND, Source.NOISE}


def read_card(task: Task) -> list[Reading]:
    """Readings of a task's metrics, in the card's order.

    Raises InvalidCardError where a metric is not of this track, has an unknown parameter, or names an unknown mask,
    removal operator, role or judge.
    """
    require_no_choices(task)
    return [_read(task, card) for card in task.card.metrics]


def _read(task: Task, card: MetricCard) -> Reading:
    metric = declared(task, card, {name: PARAMETERS.get(source, set()) for name, source in SOURCES.items()})
    source = SOURCES[metric.name]
    mask, roles = str(card.parameters.get("mask", SOFT)), str(card.parameters.get("roles", "class"))
    removal = str(card.parameters.get("removal", Removal.SCALE))
    try:
        share(mask)
    except EarwitnessError as error:
        raise _complaint(task, card, f": {error}") from error
    if removal not in set(Removal):
        raise _complaint(task, card, f": no removal operator is called {removal!r}; one of {', '.join(Removal)}")
    if roles not in {"class", "causal"}:
        raise _complaint(task, card, f": roles are class or causal, not {roles!r}")
    return Reading(card.id, metric, source, mask, Removal(removal), _judge(task, card, source), roles)


def _judge(task: Task, card: MetricCard, source: Source) -> str:
    if "judge" not in PARAMETERS.get(source, set()):
        return ""
    names = [judge.name for judge in task.card.judges]
    if not names:
        raise _complaint(task, card, "asks a judge, and the card names none")
    judge = str(card.parameters.get("judge", names[0]))
    if judge not in names:
        raise _complaint(task, card, f": no judge is called {judge!r}; judges: {', '.join(names)}")
    return judge


def _complaint(task: Task, card: MetricCard, what: str) -> InvalidCardError:
    gap = "" if what.startswith(":") else " "
    return InvalidCardError(f"{where(task, card)}{gap}{what}")
