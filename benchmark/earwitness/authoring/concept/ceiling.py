"""Ceilings of a concept task: the best and the worst that is known to be reached.

A few dictionaries are tried that no submission could fit, since they know the factors of the training clips: one
feature for each factor's own direction, one for each class of each factor, and some that are trained to tell each
factor by what clips have of them on average; where generations are traced, one that knows what is heard at each step,
too. Beside them stand the latents themselves, and dictionaries of noise, one that is active and one that never is. Each
is scored by the code that scores entrants; which of them is a metric's ceiling is chosen on fresh studies
(`authoring.cross_fitting`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.authoring import cross_fitting
from earwitness.explaining.l1 import activity
from earwitness.explaining.training import Adam
from earwitness.metrics.responses.concept import ClipFeatures, TracedProbeAndSound
from earwitness.scoring.columns import of_response
from earwitness.scoring.concept.scoring import open_scoring
from earwitness.scoring.concept.steering import patterns
from earwitness.seeds import derive
from earwitness.tracks.concept import Activation, Dictionaries, Dictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.metrics.responses.concept import Pooling
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.scoring.concept.scoring import ConceptScoring
    from earwitness.tracks.concept import ConceptItem

CLASSES = 20
"""Equal-width classes of a factor."""
RIDGE = 1e-3
"""Of the directions' regression, relative to the latents' mean variance."""
TAUGHT = 8
"""Features of each factor that are trained for it: the first four to tell it, all to divide by."""
LESSONS, CLIPS, RATE = 300, 100, 0.03
"""Steps of that training, clips a step, and Adam's step, which falls to 0 over the second half."""
SLACK = 1e-2
"""Ridge of the regression that a step reads the factor by."""
NEVER = -1e6
"""Bias of features that are never active."""
FRESH = 6
"""Fresh studies that the candidates are chosen on."""
TRACED = 3.0
"""Weight of a step of a traced generation against a training clip in that regression."""


def candidates(scoring: ConceptScoring, item: ConceptItem) -> dict[str, Callable[[], Dictionaries]]:
    """Dictionaries that are tried, by name, each under two seeds; where nothing is random both are one."""
    known = scoring.originals.held_out(scoring.chunk_of(item.id), scoring.model)[item.id]
    seed_key = scoring.setting.task.seed_key
    found: dict[str, Callable[[], Dictionaries]] = {
        "latents": lambda: _alike(of_latents(_mean(item))),
        "factors": lambda: _alike(of_factors(item, known, _mean(item))),
        "classes": lambda: _alike(of_classes(item, known, _mean(item))),
        "lessons": lambda: _fitted(lambda fit: of_lessons(item, known, derive(seed_key, item.id, "lessons", fit))),
        "noise": lambda: _fitted(lambda fit: of_noise(item, derive(seed_key, item.id, "draws", fit), 0.0)),
        "silence": lambda: _fitted(lambda fit: of_noise(item, derive(seed_key, item.id, "draws", fit), NEVER)),
    }
    if any(column.response.pooling == "rms" for column in of_response(scoring.metrics, ClipFeatures)):
        found["energies"] = lambda: _fitted(
            lambda fit: of_lessons(item, known, derive(seed_key, item.id, "energies", fit), "rms")
        )
    traced = known.traced
    if traced is not None and any(of_response(scoring.metrics, TracedProbeAndSound)):
        heard = partial(scoring.tracing.heard, item.id, known)
        found["traces"] = lambda: _alike(of_traces(item, known, traced, heard()))
    return found


def _alike(dictionary: Dictionary) -> Dictionaries:
    return Dictionaries((dictionary, dictionary))


def _fitted(fit: Callable[[int], Dictionary]) -> Dictionaries:
    return Dictionaries((fit(0), fit(1)))


def _mean(item: ConceptItem) -> NDArray[np.float64]:
    """[D] of the training frames."""
    mean: NDArray[np.float64] = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64).mean(0)
    return mean


def of_latents(mean: NDArray[np.float64]) -> Dictionary:
    """The latents themselves."""
    width = len(mean)
    return Dictionary(np.eye(width), np.zeros(width), np.eye(width), mean, Activation.IDENTITY)


def of_noise(item: ConceptItem, seed: int, bias: float) -> Dictionary:
    """Rectified features along random directions, eight times as many as latents, all of one bias."""
    mean = _mean(item)
    width = len(mean)
    rows = np.random.default_rng(seed).normal(size=(8 * width, width)) / width
    return Dictionary(rows.T, np.full(8 * width, bias), rows, mean, Activation.RELU)


def of_factors(item: ConceptItem, known: HeldOut, mean: NDArray[np.float64]) -> Dictionary:
    """A feature for each factor: what ridge regression reads it by, and the pattern that it leaves in the latents."""
    means = item.train.mean(1, dtype=np.float64) - mean
    scaled = (known.train - known.train.mean(0)) / known.train.std(0)
    gram = means.T @ means
    penalty = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    read = np.linalg.solve(gram + penalty, means.T @ scaled)
    count = known.train.shape[1]
    return Dictionary(read, np.zeros(count), patterns(means, known.train), mean, Activation.IDENTITY)


def of_classes(item: ConceptItem, known: HeldOut, mean: NDArray[np.float64]) -> Dictionary:
    """A feature for each class of each factor, active where latents are nearer to its mean than to the mean of all."""
    means = item.train.mean(1, dtype=np.float64) - mean
    rows = []
    for column in known.train.T:
        edges = np.linspace(column.min(), column.max(), CLASSES + 1)[1:-1]
        labels = np.digitize(column, edges)
        rows += [means[labels == label].mean(0) for label in range(CLASSES) if (labels == label).any()]
    centres = np.stack(rows)
    bias = -0.5 * np.square(centres).sum(1)
    # Classes overlap, so that the sum of their means is no reconstruction; the least squares of the clips is.
    decoder = np.linalg.lstsq(np.maximum(means @ centres.T + bias, 0), means, rcond=1e-3)[0]
    return Dictionary(centres.T, bias, decoder, mean, Activation.RELU)


def of_lessons(item: ConceptItem, known: HeldOut, seed: int, pooling: Pooling = "mean") -> Dictionary:
    """Normalised features that are trained to tell the factors of clips as they are pooled, alone and by fours.

    Latents that hold the wave itself mean nothing when they are averaged; rectified and divided by their size, they do.
    """
    clips, _, width = item.train.shape
    frames = torch.from_numpy(item.train).float()
    offset, scale = frames.mean((0, 1)), frames.std((0, 1)).clamp_min(1e-6)
    frames = (frames - offset) / scale
    wanted = torch.from_numpy((known.train - known.train.mean(0)) / known.train.std(0)).float()
    rng, features = torch.Generator().manual_seed(seed % 2**63), wanted.shape[1] * TAUGHT
    encoder = (torch.randn(features, width, generator=rng) / width**0.5).requires_grad_()
    bias = torch.zeros(features, requires_grad=True)
    optimiser = Adam((encoder, bias))
    for lesson in range(LESSONS):
        chosen = torch.randperm(clips, generator=rng)[:CLIPS]
        found = activity(encoder, bias, frames[chosen].flatten(0, 1)).features
        frame = found.reshape(len(chosen), -1, features)
        pooled = frame.mean(1) if pooling == "mean" else (frame.square().mean(1) + 1e-12).sqrt()
        parts = torch.split(pooled, TAUGHT, 1)
        loss = torch.stack([untold(part, wanted[chosen, number]) for number, part in enumerate(parts)]).sum()
        encoder.grad, bias.grad = torch.autograd.grad(loss, (encoder, bias))
        optimiser.step(RATE * min(1.0, 2 * (1 - lesson / LESSONS)))
    with torch.no_grad():
        flat = frames.flatten(0, 1)
        told = activity(encoder, bias, flat).features.double()
        gram = told.T @ told
        ridge = RIDGE * gram.diagonal().mean() * torch.eye(features, dtype=torch.float64)
        decoder = torch.linalg.solve(gram + ridge, told.T @ (flat * scale).double())
        rows, move, back, mean = (part.numpy() for part in ((encoder / scale).T, bias, decoder, offset))
    return Dictionary(rows, move, back, mean, Activation.RELU, normalise=True)


def untold(means: Tensor, wanted: Tensor) -> Tensor:
    """What regressions on the first and on the first four features [n, C] of clips leave of a factor [n], summed."""
    scaled = (means - means.mean(0)) / (means.std(0) + 1e-6)
    left = []
    for count in (1, 4):
        own = scaled[:, :count]
        gram = own.T @ own / len(own) + SLACK * torch.eye(count)
        left.append((wanted - own @ torch.linalg.solve(gram, own.T @ wanted / len(own))).square().mean())
    return torch.stack(left).sum()


def of_traces(item: ConceptItem, known: HeldOut, traced: NDArray[np.float32], heard: NDArray[np.float64]) -> Dictionary:
    """A feature for each factor, fitted on training clips and on what is heard [B, T, K] of traced latents, too.

    Both have an intercept of their own, since settling is told by differences alone.
    """
    mean = item.train.mean((0, 1), dtype=np.float64)
    steps = traced.mean(2, dtype=np.float64).reshape(-1, len(mean)) - mean
    factors = heard.reshape(len(steps), -1)
    audible = np.isfinite(factors).all(1)
    steps, factors = steps[audible], factors[audible]
    clips = item.train.mean(1, dtype=np.float64) - mean
    weight, spread = np.r_[np.ones(len(clips)), np.full(len(steps), TRACED)][:, None], known.train.std(0)
    own = np.zeros((len(clips) + len(steps), 2))
    own[: len(clips), 0] = own[len(clips) :, 1] = 1
    rows = weight * np.concatenate([np.concatenate([clips, steps]), own], 1)
    wanted = weight * np.concatenate([known.train, factors]) / spread
    gram = rows.T @ rows
    penalty = np.full(len(gram), RIDGE * np.trace(gram[:-2, :-2]) / len(mean))
    penalty[-2:] = 1e-9
    read = np.linalg.solve(gram + np.diag(penalty), rows.T @ wanted)[:-2]
    return Dictionary(read, np.zeros(len(spread)), np.linalg.pinv(read), mean, Activation.IDENTITY)


SEARCH = cross_fitting.Search(open_scoring, candidates, FRESH)


def chosen(scoring: ConceptScoring, item: ConceptItem, choice: str) -> Dictionaries:
    """The explanation that a choice of `ceilings.SCHEMA` names; raises EarwitnessError where it names none."""
    explanation: Dictionaries = cross_fitting.chosen(SEARCH, scoring, item, choice)
    return explanation
