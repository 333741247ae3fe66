"""Dictionaries that an audit of metrics tries: places are the features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring.forms import HALF, ONE_HOT, ONES, Places
from earwitness.tracks.concept import Activation, Dictionaries, Dictionary

if TYPE_CHECKING:
    from earwitness.tracks.concept import ConceptItem, ConceptModel


def mix(model: ConceptModel, item: ConceptItem, kept: Dictionaries, noise: Dictionaries, taken: Places) -> Dictionaries:
    """The dictionaries with those features that `taken` names turned to the directions of features of `noise`.

    A feature keeps the lengths of its own ways there and back, its bias and its dictionary's activation; once all are
    taken, the dictionaries are those of `noise`.
    """
    fitted = []
    for own, other in zip(kept.fitted, noise.fitted, strict=True):
        chosen = taken.of(own.features)
        if chosen.all():
            fitted.append(other)
            continue
        which = np.arange(own.features) % other.features
        encoder = np.where(chosen, _as_long(other.encoder[:, which], own.encoder, 0), own.encoder)
        decoder = np.where(chosen[:, None], _as_long(other.decoder[which], own.decoder, 1), own.decoder)
        fitted.append(replace(own, encoder=encoder, decoder=decoder))
    return Dictionaries(tuple(fitted))


def shuffled(model: ConceptModel, item: ConceptItem, kept: Dictionaries, rng: np.random.Generator) -> Dictionaries:
    """The dictionaries with the latents that each feature reads, and those that it writes, in another order."""
    fitted = []
    for own in kept.fitted:
        places = [rng.permutation(len(own.offset)) for _ in range(own.features)]
        encoder = np.stack([own.encoder[place, number] for number, place in enumerate(places)], axis=1)
        decoder = np.stack([own.decoder[number, place] for number, place in enumerate(places)])
        fitted.append(replace(own, encoder=encoder, decoder=decoder))
    return Dictionaries(tuple(fitted))


def blind(model: ConceptModel, item: ConceptItem, rng: np.random.Generator) -> dict[str, Dictionaries]:
    """Dictionaries that know nothing: features that are always half active, always active, and one direction alone."""
    width = item.train.shape[-1]
    mean = item.train.reshape(-1, width).mean(0, dtype=np.float64)
    nothing = Dictionary(np.zeros((width, width)), np.zeros(width), np.zeros((width, width)), mean, Activation.IDENTITY)
    direction = rng.normal(size=width)
    direction = direction / float(np.linalg.norm(direction))
    encoder, decoder = np.zeros((width, width)), np.zeros((width, width))
    encoder[:, 0], decoder[0] = direction, direction
    found = {
        HALF: replace(nothing, bias=np.full(width, 0.5)),
        ONES: replace(nothing, bias=np.ones(width)),
        ONE_HOT: replace(nothing, encoder=encoder, decoder=decoder),
    }
    return {name: Dictionaries((each,) * len(item.explainer_seeds)) for name, each in found.items()}


def _as_long(ways: np.ndarray, like: np.ndarray, axis: int) -> np.ndarray:
    """The ways, each as long as that in its place in `like`."""
    own, wanted = (np.linalg.norm(each, axis=axis, keepdims=True) for each in (ways, like))
    return np.asarray(ways * wanted / np.where(own > 0, own, 1))
