"""Originals of the speech track: utterances, and what the model transcribes them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.datasets import alignment
from earwitness.errors import InvalidItemError
from earwitness.exhibits.manifest import ORIGINAL, write
from earwitness.exhibits.writing import ItemExhibits
from earwitness.scoring import Problem
from earwitness.scoring.originals import Originals, require_finite_answer
from earwitness.tracks.speech import SpeechItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.datasets import SpeechRecord, SpeechTruth
    from earwitness.tracks.speech import SpeechModel

BEAMS = 5
"""Beams of every transcription (SPES, arXiv 2411.01710)."""


class SpeechOriginals(Originals["SpeechRecord", SpeechItem]):
    """The utterances that are explained."""

    item = SpeechItem

    def make(self, records: Sequence[SpeechRecord], model: SpeechModel) -> tuple[list[SpeechItem], list[Problem]]:
        """Items of some records, and those that cannot be explained; leaves the sounds in `folder`."""
        items, problems = [], []
        for record in records:
            try:
                items.append(self._item(record, model))
            except InvalidItemError as error:
                problems.append(Problem(record.id, str(error)))
        return items, problems

    def page(self, records: Sequence[SpeechRecord], model: SpeechModel) -> dict[str, dict[str, Any]]:
        """What the page shows of records beside their items: the reference, and when words and phonemes are said."""
        return {
            record.id: {"reference": record.reference, "frame_rate": model.frame_rate, "marks": marks(record.truth)}
            for record in records
        }

    def _item(self, record: SpeechRecord, model: SpeechModel) -> SpeechItem:
        audio = record.audio(model.sample_rate)
        seconds = len(audio) / model.sample_rate
        wrong = alignment.check(record.truth, seconds) if record.truth is not None else ""
        if wrong:
            raise InvalidItemError(wrong)
        features = model.features(audio)
        given = torch.from_numpy(features[None]).to(model.device)
        require_finite_answer(record.id, "features", given)
        with torch.inference_mode():
            require_finite_answer(record.id, "states", model.encode(given))
            tokens = model.transcribe(given, BEAMS)[0]
            if not len(tokens):
                raise InvalidItemError("the model transcribes it to nothing, so there is no token to explain")
            require_finite_answer(record.id, "logits", model.logits(given, torch.from_numpy(np.array(tokens)[None])))
        listed = [int(token) for token in tokens]
        own = ItemExhibits(self.folder, record.id)
        write(self.folder, record.id, [own.sound(ORIGINAL, audio, model.sample_rate)])
        return SpeechItem(
            id=record.id,
            explainer_seed=self.explainer_seed(record.id),
            text=model.text(listed),
            pieces=tuple(model.pieces(listed)),
            features=np.ascontiguousarray(features, dtype=np.float32),
            tokens=np.asarray(tokens, dtype=np.int64),
            words=np.asarray(model.words(listed), dtype=np.int64),
        )


def marks(truth: SpeechTruth | None) -> dict[str, list[list[Any]]]:
    """Words and phonemes as [text, start, stop] in seconds; empty where they are not known."""
    if truth is None:
        return {}
    phonemes = [phoneme for word in truth.phonemes for phoneme in word]
    return {
        "words": [[stretch.text, stretch.start, stretch.stop] for stretch in truth.words],
        "phonemes": [[stretch.text, stretch.start, stretch.stop] for stretch in phonemes],
    }
