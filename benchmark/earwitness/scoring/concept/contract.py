"""What the concept track asks of its models and datasets, on one tiny input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.datasets import ConceptRecord
from earwitness.scoring.contracts import differs, no_gradient, wrong_fields, wrong_shape, wrong_sound
from earwitness.tracks.concept import ConceptModel

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = ConceptRecord
SAMPLE_RATE = 16_000
CALLS = {"encode": "encoding 2 clips of 1 s", "decode": "decoding them"}
SECONDS = 1.0


@torch.no_grad()
def check_model(model: ConceptModel) -> Iterator[str]:
    """A line for each thing that a model does otherwise than `ConceptModel` documents."""
    if model.kind not in model.kinds:
        yield f"kind {model.kind!r} is none of kinds {[str(kind) for kind in model.kinds]}"
    generator = torch.Generator().manual_seed(7)
    samples = round(SECONDS * model.sample_rate)
    audio = (torch.rand(2, samples, generator=generator) - 0.5).to(model.device)
    for kind in model.kinds:
        latents = model.encode(audio, kind)
        yield from wrong_shape(f"{kind} latents of encode", latents, (2, None, model.width), "[B, F, D]")
        frames = SECONDS * model.frame_rate
        if latents.ndim == 3 and abs(latents.shape[1] - frames) > 2:
            yield f"encode gives {latents.shape[1]} frames of {SECONDS:g} s; frame_rate says {frames:g}"
        yield from differs(f"encode of {kind} latents", latents, model.encode(audio, kind), "put it into eval mode")
        yield from wrong_shape("decode", model.decode(latents), (2, None), "[B, S]")
    yield from no_gradient("decode", model.decode, model.encode(audio, model.kind))


def check_record(record: ConceptRecord, sample_rate: int) -> Iterator[str]:
    """A line for each thing that is wrong with a record."""
    yield from wrong_fields(record, ("id", "cluster"))
    for name, notes in (("train", record.train), ("test", record.test)):
        clips = notes.audio(sample_rate)
        for clip in clips:
            yield from wrong_sound(f"a clip of {name} of {record.id}", clip, 1, "[S]")
        if not notes.factors:
            yield f"{name} of {record.id} knows no factor: nothing can be asked of its clips"
        for factor, values in notes.factors.items():
            if len(values) != len(clips):
                yield f"factor {factor} of {name} of {record.id} must have {len(clips)} values; found {len(values)}"


def sounds(record: ConceptRecord, sample_rate: int) -> dict[str, Any]:
    """Clips [S] of both parts."""
    return {"train clips": record.train.audio(sample_rate), "test clips": record.test.audio(sample_rate)}
