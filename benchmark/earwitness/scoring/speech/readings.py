"""Readings: what each metric of a speech card reads, with its parameters checked before anything is transcribed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.scoring.declared import choices, declared, where
from earwitness.scoring.speech.transcripts import Comparison
from earwitness.task import CARD
from earwitness.tracks.speech import Fill

if TYPE_CHECKING:
    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task

REFERENCE, HYPOTHESIS = "reference", "hypothesis"
WORD, PHONEME = "word", "phoneme"
CHOICES = {"fill": tuple(Fill), "against": (REFERENCE, HYPOTHESIS), "level": (WORD, PHONEME)}
"""Values of each parameter, the default first."""
PARAMETERS: dict[str, tuple[str, ...]] = {
    "deletion_wer": ("fill", "against"),
    "insertion_wer": ("fill", "against"),
    "deletion_bleu": ("fill", "against"),
    "insertion_bleu": ("fill", "against"),
    "deletion_token": ("fill",),
    "deletion_token_others": ("fill",),
    "deletion_prefix": (),
    "deletion_shift": ("fill",),
    "size_spectrogram": (),
    "size_prefix": (),
    "interval_ap": ("level",),
    "pointing": ("level",),
    "mass_inside": ("level",),
}
"""Parameters of each metric of the track."""


_WORDS, _BLEU, _AGREEING = ("normaliser", "unit"), ("bleu_tokeniser",), ("normaliser",)
COMPARED: dict[str, tuple[str, ...]] = {
    "deletion_wer": _WORDS,
    "insertion_wer": _WORDS,
    "deletion_bleu": _BLEU,
    "insertion_bleu": _BLEU,
    "interval_ap": _AGREEING,
    "pointing": _AGREEING,
    "mass_inside": _AGREEING,
}
"""What of the table `[scoring]` each metric that compares transcripts goes by."""


@dataclass(frozen=True)
class Reading:
    """One metric of a card."""

    id: str
    metric: Metric
    fill: Fill
    against: str
    """Whether transcripts are compared with the reference or with the model's own transcript of the whole sound."""
    level: str
    """Whether a token's interval is its word's, or that of the phonemes that tell its word from another."""
    choices: tuple[tuple[str, Any], ...] = ()
    """What of the table `[scoring]` the metric goes by, where it is not the default."""

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    @property
    def insertion(self) -> bool:
        """Whether cells are put back rather than removed."""
        return self.name.startswith("insertion_")


def read_card(task: Task) -> list[Reading]:
    """Readings of a task's metrics, in the card's order.

    Raises InvalidCardError where a metric is not of this track, or where it or the table `[scoring]` has an unknown
    parameter or value, or asks for a tokeniser whose packages are missing.
    """
    comparison = choices(task, Comparison)
    found = [_read(task, card, comparison) for card in task.card.metrics]
    if any(COMPARED.get(reading.name) == _BLEU for reading in found):
        try:
            comparison.bleu("one", "one")
        except EarwitnessError as error:
            raise InvalidCardError(f"{task.folder / CARD}: scoring.bleu_tokeniser: {error}") from error
    return found


def _read(task: Task, card: MetricCard, comparison: Comparison) -> Reading:
    at, metric = where(task, card), declared(task, card, PARAMETERS)
    values = {name: str(card.parameters.get(name, known[0])) for name, known in CHOICES.items()}
    for name, value in values.items():
        if value not in CHOICES[name]:
            raise InvalidCardError(f"{at}: {name} is one of {', '.join(CHOICES[name])}, not {value!r}")
    chosen = tuple(
        (each.name, value)
        for each in fields(comparison)
        if each.name in COMPARED.get(metric.name, ()) and (value := getattr(comparison, each.name)) != each.default
    )
    return Reading(card.id, metric, Fill(values["fill"]), values["against"], values["level"], chosen)
