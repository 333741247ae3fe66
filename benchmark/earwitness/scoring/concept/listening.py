"""What people see and hear of a dictionary: what its features respond to, steered clips, and the trace.

Under `listen`, for each item: `<item>.features.json` (see `described`) and, where the model's steps are traced,
`<item>.trace.json` (see `leave_trace`). Sounds are kept of the first `LISTENED` items alone: steered clips as
`<item>.steer-<factor>-<place>.flac` beside them, and the clips that features respond to, which submissions share, as
`<item>.clip-<place>.flac` beside the originals. FLAC, so that the same sound is the same file, byte for byte.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.metrics.arrays import UndefinedError
from earwitness.scoring.concept.responses import drawn, lively, response, short, telling
from earwitness.scoring.files import file_name, moved_into_place, write_sound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.datasets import ConceptRecord
    from earwitness.scoring.concept.features import Features
    from earwitness.scoring.concept.originals import Known
    from earwitness.scoring.concept.scoring import ConceptScoring
    from earwitness.tracks.concept import ConceptItem

LISTENED = 2
"""Items of a task, from the first, of which sounds are kept."""
SIZES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""How far a clip is steered: 1 is as far as one standard deviation of the factor moves the latents themselves."""
UNITS = {
    "pitch": "MIDI number",
    "loudness": "dB",
    "brightness": "octaves above 1 kHz",
    "attack": "log10 s",
    "low_share": "dB",
}
"""Of the factors that our estimators measure, whatever the dataset."""


def page(record: ConceptRecord) -> dict[str, Any]:
    """What the page tells of an item beside what explainers get, as JSON types."""
    return {
        "factors": {name: UNITS.get(name, "") for name in record.train.factors},
        "estimated": list(record.estimated),
        "correlated": list(record.correlated),
        "clips": [len(next(iter(notes.factors.values()), ())) for notes in (record.train, record.test)],
    }


def leave(scoring: ConceptScoring, item: ConceptItem, features: Features, known: Known, listen: Path) -> None:
    """Write what the page shows of an item's first dictionary; raises EarwitnessError where it cannot be written."""
    heard = [each.id for each in scoring.records[:LISTENED]]
    found = described(features, known)
    if item.id in heard:
        found["steering"] = steered(scoring, item, features, known, listen)
        _leave_clips(scoring, item, found["features"])
    _write(listen / f"{file_name(item.id)}.features.json", found)


def leave_trace(listen: Path, item: str, factors: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Write how far each factor has still to go at each step, from the first, noisiest one to the last.

    `factors` holds for each factor `probe` [T], read off the features, and `sound` [T], estimated on the sound decoded
    at each step: 1 at the first and 0 at the last; NaN where it is not known. Raises EarwitnessError where it cannot be
    written.
    """
    curves = {name: {kind: [_finite(v) for v in curve] for kind, curve in own.items()} for name, own in factors.items()}
    _write(listen / f"{file_name(item)}.trace.json", {"factors": curves})


def described(features: Features, known: Known) -> dict[str, Any]:
    """What the page draws of a dictionary, as JSON types.

    `clips`: value of each factor in the held-out clips that are drawn. `best`: for each factor the feature that tells
    most of it. `features`: what those and the liveliest ones respond to.
    """
    best = telling(features, known)
    numbers = list(dict.fromkeys([*best.values(), *lively(features)]))
    shown = drawn(known)
    return {
        "clips": {name: [short(v) for v in known.test[shown, column]] for column, name in enumerate(known.names)},
        "best": best,
        "width": features.dictionary.features,
        "features": [response(features, known, number) for number in numbers],
    }


def steered(
    scoring: ConceptScoring, item: ConceptItem, features: Features, known: Known, listen: Path
) -> dict[str, Any]:
    """Render one held-out clip with each factor steered by each of `SIZES`, and measure all factors in each sound.

    Features are moved as the card's steering metric of that factor moves them. `measured` is in each factor's own
    unit, `moved` its change in standard deviations of the training clips.
    """
    base = middle(known)
    own = known.latents[base]
    found: dict[str, Any] = {"clip": base, "sizes": list(SIZES), "factors": {}}
    for column, name in enumerate(known.names):
        k = _steered_by(scoring, name)
        try:
            shift = scoring.steering.shift(features, known, column, k)
        except UndefinedError as error:
            found["factors"][name] = {"reason": str(error)}
            continue
        sounds = _decoded(scoring, own + np.array(SIZES, dtype=np.float32)[:, None, None] * shift)
        for place, sound in enumerate(sounds):
            path = listen / f"{file_name(item.id)}.steer-{file_name(name)}-{place}.flac"
            write_sound(path, sound, scoring.model.sample_rate)
        measured = _measured(scoring, sounds, known.names)
        found["factors"][name] = {
            "k": k,
            "sounds": [f"steer-{name}-{place}" for place in range(len(SIZES))],
            "measured": measured,
            "moved": {each: moved(values, known.train[:, known.column(each)]) for each, values in measured.items()},
        }
    return found


def middle(known: Known) -> int:
    """Place of the held-out clip whose factors lie nearest to the training clips' means, in standard deviations."""
    spread = known.train.std(0)
    away = (known.test - known.train.mean(0)) / np.where(spread > 0, spread, 1.0)
    return int(np.square(away).sum(1).argmin())


def moved(measured: Sequence[float | None], factor: NDArray[np.float64]) -> list[float | None]:
    """Change of a factor from size 0 in standard deviations of training clips' [n]; None where one is not known.

    >>> moved([None, 1.0, 2.0, 3.0, 6.0], np.array([0.0, 4.0]))
    [None, -0.5, 0.0, 0.5, 2.0]
    """
    start, spread = measured[SIZES.index(0.0)], float(factor.std())
    if start is None or not spread > 0:
        return [None] * len(measured)
    return [None if value is None else short((value - start) / spread) for value in measured]


def _steered_by(scoring: ConceptScoring, factor: str) -> int:
    """Number of features by which the card's metrics steer a factor, a headline before others; 0, all, without any."""
    headline = {metric.id for metric in scoring.setting.task.card.metrics if metric.headline}
    found = [reading for reading in scoring.readings if reading.name == "steer"]
    found.sort(key=lambda reading: (reading.factor != factor, reading.id not in headline))
    return found[0].k if found else 0


def _decoded(scoring: ConceptScoring, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Audio [n, S] of latents [n, F, D]."""
    with torch.inference_mode():
        audio = scoring.model.decode(torch.from_numpy(latents.astype(np.float32)).to(scoring.model.device))
    return np.asarray(audio.float().cpu().numpy())


def _measured(
    scoring: ConceptScoring, sounds: NDArray[np.float32], names: Sequence[str]
) -> dict[str, list[float | None]]:
    """Each factor as its estimator hears it in each sound; factors without an estimator are missing."""
    rate, estimators = scoring.model.sample_rate, scoring.steering.estimators
    return {name: [_finite(estimators[name](sound, rate)) for sound in sounds] for name in names if name in estimators}


def _leave_clips(scoring: ConceptScoring, item: ConceptItem, features: Sequence[dict[str, Any]]) -> None:
    """Write the original sounds of the clips that features respond to most, those that are not there yet."""
    rate, folder = scoring.model.sample_rate, scoring.originals.folder
    clips = sorted({each["clip"] for own in features for each in own["top"]})
    paths = {clip: folder / f"{file_name(item.id)}.clip-{clip}.flac" for clip in clips}
    lacking = {clip: path for clip, path in paths.items() if not path.is_file()}
    if lacking:
        sounds = scoring.record(item.id).test.audio(rate)
        for clip, path in lacking.items():
            write_sound(path, sounds[clip], rate)


def _finite(value: float) -> float | None:
    return short(value) if np.isfinite(value) else None


def _write(path: Path, found: dict[str, Any]) -> None:
    with moved_into_place(path) as temporary:
        temporary.write_text(json.dumps(found), encoding="utf-8")
