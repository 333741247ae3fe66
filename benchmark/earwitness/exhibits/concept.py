"""What people see and hear of a dictionary: what its features respond to, steered clips, and the trace.

`features` is a document (see `described`). `trace` is a curve of each factor, where the model's steps are traced.
Sounds are left of the first `LISTENED` items alone: `steered` ones of each factor and size, and the `clip`s that
features respond to, which submissions share and which therefore lie beside the originals. FLAC, so that the same sound
is the same file, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.exhibits.concept_features import drawn, most_predictive, most_variable, response, short
from earwitness.exhibits.manifest import Exhibit, ExhibitKind
from earwitness.exhibits.writing import Curve, ItemExhibits
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.responses.concept import MovedFactors
from earwitness.metrics.tracing import settling
from earwitness.results.file_names import file_name
from earwitness.scoring.columns import of_response
from earwitness.scoring.concept.tracing import traced_probe
from earwitness.scoring.files import write_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Set
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.scoring.columns import Column
    from earwitness.scoring.concept.features import Features
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.scoring.concept.steering import Steering
    from earwitness.scoring.concept.tracing import Tracing

LISTENED = 2
"""Items of a task, from the first, of which sounds are kept."""
SIZES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""How far a clip is steered: 1 is as far as one standard deviation of the factor moves the latents themselves."""
BY = {"probe": "told by the features", "sound": "heard in the sound"}
"""What a trace was read off."""


@dataclass(frozen=True)
class Listening:
    """What sounds of an item are made with."""

    steering: Steering
    steered_by: Mapping[str, int]
    """How many features each factor is steered by; 0 for all."""
    clips: Callable[[], Sequence[NDArray[np.float32]]]
    """The held-out clips [m, S] at the model's sample rate."""
    shared: Path
    """Folder of the originals."""


def exhibits(
    place: ItemExhibits, features: Features, held_out: HeldOut, tracing: Tracing, listening: Listening | None
) -> Iterator[Exhibit]:
    """Leave what the page shows of an item's first dictionary; sounds where there is something to make them with."""
    document = described(features, held_out)
    if listening is not None:
        document["steering"], sounds = steered(place, features, held_out, listening)
        yield from sounds
        yield from _clips(place, document["features"], listening)
    yield place.document("features", document)
    if held_out.traced is not None:
        for factor, lines in traces(tracing, features, held_out).items():
            steps = range(1, len(lines["sound"]) + 1)
            named = {BY[kind]: [_short(value) for value in line] for kind, line in lines.items()}
            yield place.curve("trace", Curve("step, from noise to the end", steps, named, "still to go"), factor)


def described(features: Features, held_out: HeldOut) -> dict[str, Any]:
    """What the page draws of a dictionary, as JSON types.

    `clips`: value of each factor in the held-out clips that are drawn. `best`: for each factor the feature that tells
    most of it. `features`: what those and the most variable ones respond to.
    """
    best = most_predictive(features, held_out)
    numbers = list(dict.fromkeys([*best.values(), *most_variable(features)]))
    shown = drawn(held_out)
    return {
        "clips": {name: [short(v) for v in held_out.test[shown, column]] for column, name in enumerate(held_out.names)},
        "best": best,
        "width": features.dictionary.features,
        "features": [response(features, held_out, number) for number in numbers],
    }


def steered(
    place: ItemExhibits, features: Features, held_out: HeldOut, listening: Listening
) -> tuple[dict[str, Any], list[Exhibit]]:
    """Render one held-out clip with each factor steered by each of `SIZES`, and measure all factors in each sound.

    Features are moved as the card's steering metric of that factor moves them. `measured` is in each factor's own
    unit, `moved` its change in standard deviations of the training clips.
    """
    base, steering = middle(held_out), listening.steering
    own = held_out.latents[base]
    document: dict[str, Any] = {"clip": base, "sizes": list(SIZES), "factors": {}}
    left: list[Exhibit] = []
    for column, name in enumerate(held_out.names):
        k = listening.steered_by[name]
        try:
            shift = steering.shift(features, held_out, column, k)
        except UndefinedError as error:
            document["factors"][name] = {"reason": str(error)}
            continue
        sounds = _decoded(steering, own + np.array(SIZES, dtype=np.float32)[:, None, None] * shift)
        parts, rate = [steered_part(name, size) for size in SIZES], steering.model.sample_rate
        left += [place.sound("steered", sound, rate, part, "flac") for part, sound in zip(parts, sounds, strict=True)]
        measured = _measured(steering, sounds, held_out.names)
        document["factors"][name] = {
            "k": k,
            "sounds": parts,
            "measured": measured,
            "moved": {
                each: moved(values, held_out.train[:, held_out.column(each)]) for each, values in measured.items()
            },
        }
    return document, left


def steered_part(factor: str, size: float) -> str:
    """What a steered clip is about.

    >>> steered_part("pitch", 1.0)
    'pitch +1'
    """
    return f"{factor} {size:+g}"


def middle(held_out: HeldOut) -> int:
    """Place of the held-out clip whose factors lie nearest to the training clips' means, in standard deviations."""
    spread = held_out.train.std(0)
    away = (held_out.test - held_out.train.mean(0)) / np.where(spread > 0, spread, 1.0)
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


def steered_by(columns: Sequence[Column], headline: Set[str], factor: str) -> int:
    """Number of features by which the card's metrics steer a factor, a headline before others; 0, all, without any."""
    candidates = list(of_response(columns, MovedFactors))
    candidates.sort(key=lambda column: (column.response.factor != factor, column.id not in headline))
    return int(candidates[0].response.k) if candidates else 0


def traces(tracing: Tracing, features: Features, held_out: HeldOut) -> dict[str, dict[str, list[float]]]:
    """Settling at each step, by factor: `probe` [T] of a dictionary and `sound` [T]; NaN where it is undefined.

    1 is as far from the end as at the first, noisiest step, 0 is the end. A clip in which an estimator hears nothing
    counts in neither, as in `trace_error`. Raises UndefinedError where no prompt of the item is traced.
    """
    heard = tracing.heard(features.item, held_out)
    curves = {}
    for column, name in enumerate(held_out.names):
        probe, sound = traced_probe(features, held_out, column), heard[:, :, column]
        if name in tracing.estimators:
            probe = np.where(np.isfinite(sound), probe, np.nan)
        curves[name] = {"probe": _settling(probe), "sound": _settling(sound)}
    return curves


def _settling(values: NDArray[np.float64]) -> list[float]:
    try:
        return [float(value) for value in settling(values)]
    except UndefinedError:
        return [float("nan")] * values.shape[1]


def _decoded(steering: Steering, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Audio [n, S] of latents [n, F, D]."""
    with torch.inference_mode():
        audio = steering.model.decode(torch.from_numpy(latents.astype(np.float32)).to(steering.model.device))
    return np.asarray(audio.float().cpu().numpy())


def _measured(steering: Steering, sounds: NDArray[np.float32], names: Sequence[str]) -> dict[str, list[float | None]]:
    """Each factor as its estimator hears it in each sound; factors without an estimator are missing."""
    rate, estimators = steering.model.sample_rate, steering.estimators
    return {name: [_finite(estimators[name](sound, rate)) for sound in sounds] for name in names if name in estimators}


def _clips(place: ItemExhibits, features: Sequence[dict[str, Any]], listening: Listening) -> Iterator[Exhibit]:
    """The original sounds of the clips that features respond to most; those that are not there yet are written."""
    clips = sorted({each["clip"] for own in features for each in own["top"]})
    paths = {clip: listening.shared / f"{file_name(place.item)}.clip-{clip}.flac" for clip in clips}
    lacking = {clip: path for clip, path in paths.items() if not path.is_file()}
    if lacking:
        sounds = listening.clips()
        for clip, path in lacking.items():
            write_sound(path, sounds[clip], listening.steering.model.sample_rate)
    for clip, path in paths.items():
        yield place.existing(ExhibitKind.SOUND, "clip", path, str(clip))


def _finite(value: float) -> float | None:
    return short(value) if np.isfinite(value) else None


def _short(value: float) -> float:
    return short(value) if np.isfinite(value) else value
