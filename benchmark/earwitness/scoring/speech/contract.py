"""What the speech track asks of its models and datasets, on one tiny input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.datasets import SpeechRecord
from earwitness.scoring.contracts import differs, no_gradient, wrong_fields, wrong_shape, wrong_sound
from earwitness.tracks.speech import SpeechModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

RECORD = SpeechRecord
SAMPLE_RATE = 16_000
CALLS = {"transcribe": "transcribing 1 s", "logits": "a teacher-forced pass over 1 s"}
SECONDS = 1.0


@torch.no_grad()
def check_model(model: SpeechModel) -> Iterator[str]:
    """A line for each thing that a model does otherwise than `SpeechModel` documents."""
    noise = np.random.default_rng(7).uniform(-0.3, 0.3, round(SECONDS * model.sample_rate)).astype(np.float32)
    spectrogram = model.features(noise)
    features = torch.as_tensor(np.asarray(spectrogram), device=model.device)
    yield from wrong_shape("features", features, (None, model.bins), "[T, M]")
    if features.ndim != 2:
        return
    features = features[None]
    yield from wrong_shape("encode", model.encode(features), (1, None, None), "[B, E, D]")
    (tokens,) = model.transcribe(features, 1)
    if not np.array_equal(tokens, model.transcribe(features, 1)[0]):
        yield "transcribe of one spectrogram differs the second time; put the module into eval mode"
    if len(model.transcribe(features, 1, 1)[0]) > 1:
        yield "transcribe must give no more tokens than `most`"
    plain = [int(token) for token in tokens]
    for what, answer in (("pieces", model.pieces(plain)), ("words", model.words(plain))):
        if len(answer) != len(tokens):
            yield f"{what} must have one entry for each of {len(tokens)} tokens; found {len(answer)}"
    if not isinstance(model.text(plain), str):
        yield f"text must be a text; found {type(model.text(plain)).__name__}"
    # Of noise a model may say nothing at all.
    said = torch.as_tensor(tokens, device=model.device) if len(tokens) else torch.full((2,), 4, device=model.device)
    yield from _passes(model, features, said[None])


def _passes(model: SpeechModel, features: Tensor, tokens: Tensor) -> Iterator[str]:
    """What is wrong with teacher-forced passes over features [1, T, M] and tokens [1, O]."""
    count, frames = tokens.shape[1], features.shape[1]
    logits = model.logits(features, tokens)
    yield from wrong_shape("logits", logits, (1, count, None), "[B, O, V]")
    yield from differs("logits of one input", logits, model.logits(features, tokens), "put the module into eval mode")
    ones = torch.ones((1, count), device=model.device)
    if not torch.allclose(logits, model.logits(features, tokens, ones), atol=1e-4):
        yield "logits under a prefix_mask of all ones must be those without one"
    two = model.logits(features, tokens, torch.ones((2, count), device=model.device))
    yield from wrong_shape("logits of one spectrogram under two masks", two, (2, count, None), "[B, O, V]")
    attention = model.attention(features, tokens)
    yield from wrong_shape("attention.cross", attention.cross, (1, None, None, count, frames), "[B, L, H, O, T]")
    yield from wrong_shape("attention.prefix", attention.prefix, (1, None, None, count, count), "[B, L, H, O, O]")
    yield from no_gradient("logits in features", lambda leaf: model.logits(leaf, tokens), features)
    yield from no_gradient("logits in prefix_mask", lambda leaf: model.logits(features, tokens, leaf), ones)


def check_record(record: SpeechRecord, sample_rate: int) -> Iterator[str]:
    """A line for each thing that is wrong with a record."""
    yield from wrong_fields(record, ("id", "reference", "cluster"))
    yield from wrong_sound(f"audio of {record.id}", record.audio(sample_rate), 1, "[S]")
    if record.truth is not None and len(record.truth.source_of) != len(record.reference.split()):
        yield (
            f"truth.source_of of {record.id} must have an entry for each of {len(record.reference.split())} words of "
            f"the reference; found {len(record.truth.source_of)}"
        )


def sounds(record: SpeechRecord, sample_rate: int) -> dict[str, Any]:
    """Its audio [S]."""
    return {"audio": record.audio(sample_rate)}
