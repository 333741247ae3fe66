"""What is known of a transcript's tokens: when their words are said, and which earlier tokens they agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics.responses.speech import WORD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from earwitness.datasets import SpeechRecord, SpeechTruth, Stretch
    from earwitness.scoring.speech.transcripts import Comparison
    from earwitness.tracks.speech import SpeechItem


def inside(
    record: SpeechRecord, item: SpeechItem, frame_rate: float, level: str, comparison: Comparison
) -> NDArray[np.bool_] | None:
    """[O, T]: frames whose middle lies in a token's interval; a row is empty where the word is wrong or has none.

    None where nothing is known of the record.
    """
    truth = record.truth
    if truth is None:
        return None
    said = comparison.agreeing(record.reference, item.text)
    rows = np.zeros((len(item.tokens), len(item.features)), dtype=bool)
    for token, word in enumerate(item.words.tolist()):
        if word in said:
            spoken = truth.source_of[said[word]]
            rows[token] = frames_of(stretches(truth, spoken, level), rows.shape[1], frame_rate)
    return rows


def tellers(record: SpeechRecord, item: SpeechItem, comparison: Comparison) -> NDArray[np.bool_] | None:
    """[O, O]: for each token of a covered word the earlier tokens of the word that it agrees with.

    A row is empty where the word is wrong or can be heard. None where nothing is known of the record.
    """
    truth = record.truth
    if truth is None or not truth.follows:
        return None
    said = comparison.agreeing(record.reference, item.text)
    words = [said.get(word) for word in item.words.tolist()]
    found = np.zeros((len(words), len(words)), dtype=bool)
    for token, word in enumerate(words):
        teller = None if word is None else truth.follows[word]
        if teller is not None:
            found[token] = [earlier < token and words[earlier] == teller for earlier in range(len(words))]
    return found


def stretches(truth: SpeechTruth, spoken: int, level: str) -> list[Stretch]:
    """A spoken word, or the phonemes of it that tell it from another."""
    if level == WORD:
        return [truth.words[spoken]]
    distinct = truth.distinct[spoken] if truth.distinct else ()
    return [truth.phonemes[spoken][index] for index in distinct]


def frames_of(said: Iterable[Stretch], frames: int, frame_rate: float) -> NDArray[np.bool_]:
    """[T]: frames whose middle lies in one of the stretches."""
    middle = (np.arange(frames) + 0.5) / frame_rate
    inside = np.zeros(frames, dtype=bool)
    for stretch in said:
        inside |= (middle >= stretch.start) & (middle < stretch.stop)
    return inside
