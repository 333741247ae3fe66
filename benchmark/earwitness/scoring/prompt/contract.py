"""What the prompt track asks of its models and datasets, on one tiny input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.datasets import PromptRecord
from earwitness.scoring.contracts import (
    differs,
    no_gradient,
    wrong_encoding,
    wrong_fields,
    wrong_shape,
    wrong_tokens,
)
from earwitness.tracks.prompt import Encoded, PromptModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

RECORD = PromptRecord
SAMPLE_RATE = 16_000
CALLS = {"generate": "a generation", "logits": "a teacher-forced pass"}
PROMPTS = ["a loud dog", "rain and a quiet bell"]
SEED = 7


@torch.no_grad()
def check_model(model: PromptModel) -> Iterator[str]:
    """A line for each thing that a model does otherwise than `PromptModel` documents."""
    yield from wrong_tokens(model, PROMPTS)
    yield from wrong_encoding(model, PROMPTS, model.encode(PROMPTS))
    text = model.encode(PROMPTS[:1])
    codes, audio = model.generate(text, SEED)
    shape = (1, model.codebooks, model.frames)
    yield from wrong_shape("codes of generate", codes, shape, "[B, K, F]")
    yield from wrong_shape("audio of generate", audio, (1, None), "[B, S]")
    yield from differs("generate under one seed", codes, model.generate(text, [SEED])[0], "draw noise from it alone")
    yield from wrong_shape("audio", model.audio(codes), tuple(audio.shape), "[B, S]")
    yield from _passes(model, codes, text)


def _passes(model: PromptModel, codes: Tensor, text: Encoded) -> Iterator[str]:
    """What is wrong with teacher-forced passes over codes [1, K, F]."""
    books, frames, tokens = model.codebooks, model.frames, text.states.shape[1]
    logits = model.logits(codes, text)
    yield from wrong_shape("logits", logits, (1, books, frames, None), "[B, K, F, V]")
    yield from wrong_shape("hidden", model.hidden(codes, text), (1, frames, None), "[B, F, D]")
    null = model.null_logits(codes)
    yield from wrong_shape("null_logits", null, tuple(logits.shape), "[B, K, F, V]")
    yield from wrong_shape("guided", model.guided(logits, null), tuple(logits.shape), "[B, K, F, V]")
    attention = model.cross_attention(codes, text)
    yield from wrong_shape("cross_attention", attention, (1, None, None, frames, tokens), "[B, L, H, F, N]")
    ones = text.states.new_ones((1, tokens))
    if not torch.allclose(logits, model.logits(codes, text, ones), atol=1e-4):
        yield "logits under a token_mask of all ones must be those without one"
    yield from differs("logits of one input", logits, model.logits(codes, text), "put the module into eval mode")
    forced = model.teacher_forced(codes, text, attentions=True)
    yield from wrong_shape("logits of teacher_forced", forced.logits, tuple(logits.shape), "[B, K, F, V]")
    if not forced.attentions:
        yield "teacher_forced(attentions=True) must give the attention of each layer; found none"
    yield from no_gradient("teacher_forced in token_mask", lambda m: model.teacher_forced(codes, text, m).logits, ones)


def check_record(record: PromptRecord, sample_rate: int) -> Iterator[str]:
    """A line for each thing that is wrong with a record."""
    yield from wrong_fields(record, ("id", "prompt", "cluster"))
    if record.asked is not None and not 0 <= record.asked[0] < record.asked[1]:
        yield f"asked of {record.id} must be two seconds, the first one earlier; found {record.asked}"
    if record.truth is not None and not len(record.truth.roles) == len(record.truth.intervals) == len(
        record.prompt.split()
    ):
        yield (
            f"truth of {record.id} must have a role and an interval for each of {len(record.prompt.split())} words; "
            f"found {len(record.truth.roles)} and {len(record.truth.intervals)}"
        )


def sounds(record: PromptRecord, sample_rate: int) -> dict[str, Any]:
    """None: a prompt has no sound yet."""
    return {}
