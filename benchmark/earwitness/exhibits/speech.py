"""What people see of a speech map: its curves, and the mean map over the spectrogram.

`curves` is what the model still makes of the utterance as cells are removed or put back, `distances` how far the inputs
are then from training speech; both hold what the card's metrics have asked. `removal` is the model's transcripts along
the curve, and what it takes to hear the cells that are gone (`gating`). Of a task's first items are left `map`, and
the sounds `without` the highest cells and of these `alone`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.exhibits.gating import centres, without
from earwitness.exhibits.pictures import blend
from earwitness.exhibits.writing import Curve
from earwitness.metrics.deletion import left
from earwitness.metrics.responses.speech import DeletionErrors, InsertionErrors, TokenProbabilities, TrainingDistances
from earwitness.scoring.columns import of_response
from earwitness.scoring.speech.curves import Curves
from earwitness.scoring.speech.removal import ranks, tie_seed
from earwitness.tracks.speech import Fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.exhibits.writing import ItemExhibits
    from earwitness.scoring.columns import Column
    from earwitness.scoring.speech.transcripts import Comparison

HEARD = 0.1
"""Share of cells, those of the highest mean weight, that people hear a sound without."""
AXIS = "cells removed (or put back), %"
FILLED = {
    Fill.MEAN: "mean filled in",
    Fill.MARGINAL: "training speech filled in",
    Fill.INPAINT: "neighbours filled in",
    Fill.SHUFFLE: "shuffled",
}
"""What stands in cells that are removed, as curves are named."""


def exhibits(
    place: ItemExhibits,
    curves: Curves,
    columns: Sequence[Column],
    comparison: Comparison,
    reference: str,
    sound: NDArray[np.float32] | None,
) -> Iterator[Exhibit]:
    """Leave what was compared, the curves that the card's metrics have asked, and, given the item's sound [S], the map
    and what is heard without its highest cells."""
    at = (100 * curves.shares).tolist()
    asked = answers(curves, columns, comparison, reference)
    for label, lines in (("curves", asked), ("distances", distances(curves, columns))):
        if lines:
            yield place.curve(label, Curve(AXIS, at, lines))
    gone = removal(curves, columns)
    yield place.document("removal", gone)
    yield place.document("compared", compared(comparison, reference, curves.item.text))
    if sound is not None:
        mean = curves.explanation.spectrogram.astype(np.float64).mean(0)
        yield place.picture("map", blend(curves.item.features, mean))
        model, hz = curves.respondent.model, np.array(gone["hz"])
        highest = ranks(mean, gone["tie_seed"]) < round(HEARD * mean.size)
        for label, cells in (("without", highest), ("alone", ~highest)):
            left = without(sound, model.sample_rate, cells, model.frame_rate, hz)
            yield place.sound(label, left, model.sample_rate, f"the highest {HEARD:.0%} of cells, resynthesised")


def removal(curves: Curves, columns: Sequence[Column]) -> dict[str, Any]:
    """Which cells go first, the Hz of mel bins, and the model's transcripts at each share of cells removed.

    `transcripts` by what fills removed cells, for those fills that a metric of the card has asked.
    """
    model = curves.respondent.model
    asked = {column.response.fill for column in of_response(columns, DeletionErrors)}
    return {
        "tie_seed": tie_seed(curves.seed_key, curves.item.id),
        "hz": [round(float(hz), 1) for hz in centres(model.features, model.sample_rate)],
        "shares": curves.shares.tolist(),
        "transcripts": {str(fill): curves.transcripts(fill, False) for fill in sorted(asked)},
    }


def compared(comparison: Comparison, reference: str, transcript: str) -> dict[str, Any]:
    """What of the reference and of the model's transcript of the whole sound is compared, and how many errors it has.

    >>> from earwitness.scoring.speech.transcripts import Comparison
    >>> compared(Comparison("english"), "Mr. Hill's lamp", "mister hill lamp")
    {'normaliser': 'english', 'unit': 'word', 'wanted': 'mister hill is lamp', 'found': 'mister hill lamp', 'errors': 1}
    """
    wanted, found = comparison.words_of(reference), comparison.words_of(transcript)
    return {
        "normaliser": comparison.normaliser,
        "unit": comparison.unit,
        "wanted": " ".join(wanted),
        "found": " ".join(found),
        "errors": comparison.errors(wanted, found),
    }


def answers(
    curves: Curves, columns: Sequence[Column], comparison: Comparison, reference: str
) -> dict[str, list[float]]:
    """What the model still makes of the utterance at each share of cells [Q], by name."""
    lines: dict[str, list[float]] = {}
    wanted = comparison.words_of(reference)
    for column in columns:
        asked = column.response
        if isinstance(asked, TokenProbabilities):
            lines[f"token probability, {FILLED[asked.fill]}"] = mean_left(curves, asked.fill)
        elif isinstance(asked, DeletionErrors | InsertionErrors) and asked.against == "reference":
            texts = curves.transcripts(asked.fill, asked.insertion)
            counts = [comparison.errors(wanted, comparison.words_of(text)) for text in texts]
            rates = [count / max(1, len(wanted)) for count in counts]
            what = "word errors, cells put back" if asked.insertion else "word errors"
            lines[f"{what}, {FILLED[asked.fill]}"] = [min(1.0, rate) for rate in rates]
    return lines


def distances(curves: Curves, columns: Sequence[Column]) -> dict[str, list[float]]:
    """Distance from training speech, in that of untouched speech, at each share of cells [Q], by name."""
    lines: dict[str, list[float]] = {}
    for column in of_response(columns, TrainingDistances):
        fill = column.response.fill
        away = curves.distances(fill)
        if away is not None:
            lines[FILLED[fill]] = (away / curves.training.typical).tolist()
    return lines


def mean_left(curves: Curves, fill: Fill) -> list[float]:
    """What is left of the tokens' probabilities [Q] under their own maps, mean over tokens."""
    p = curves.probabilities(fill)
    own = p[np.arange(len(p)), np.arange(len(p))]
    return [float(share) for share in left(own).mean(0)]
