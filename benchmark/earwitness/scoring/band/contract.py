"""What the band track asks of its models and datasets, on one tiny input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.datasets import BandRecord
from earwitness.scoring.contracts import (
    differs,
    no_gradient,
    wrong_encoding,
    wrong_fields,
    wrong_shape,
    wrong_sound,
    wrong_tokens,
)
from earwitness.tracks.band import BandModel, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

RECORD = BandRecord
SAMPLE_RATE = 16_000
CALLS = {"generate": "a generation", "denoised": "a step of denoising"}
PROMPTS = ["a piano and a flute", "drums"]
SEED = 7


@torch.no_grad()
def check_model(model: BandModel) -> Iterator[str]:
    """A line for each thing that a model does otherwise than `BandModel` documents."""
    yield from wrong_tokens(model, PROMPTS)
    yield from wrong_encoding(model, PROMPTS, model.encode(PROMPTS))
    text = model.encode(PROMPTS[:1])
    seen: list[tuple[int, int]] = []

    def record(step: int, layer: int, attention: Tensor) -> None:
        seen.append((attention.ndim, attention.shape[-1]))

    made = model.generate(text, SEED, record=record)
    grid = (1, model.bins, model.frames)
    yield from wrong_shape("mel of generate", made.mel, grid, "[B, M, T]")
    yield from wrong_shape("audio of generate", made.audio, (1, None), "[B, S]")
    if len(seen) != model.steps * model.layers:
        yield f"record must be called {model.steps} steps x {model.layers} layers times; found {len(seen)} calls"
    if set(seen) > {(5, text.states.shape[1])}:
        yield f"record must be given attention [B, H, t, m, N], N = {text.states.shape[1]}; found {sorted(set(seen))}"
    yield from differs(
        "generate under one seed", made.mel, model.generate(text, [SEED]).mel, "draw noise from it alone"
    )
    keep = torch.ones((1, text.states.shape[1], model.bins, model.frames), device=model.device)
    if not torch.allclose(made.mel, model.generate(text, SEED, keep=keep).mel, atol=1e-3):
        yield "generate with a keep of all ones must be generate without one"
    yield from _latents(model, made.mel, text)


def _latents(model: BandModel, mel: Tensor, text: Text) -> Iterator[str]:
    """What is wrong with latents of a spectrogram [1, M, T]."""
    latents = model.latents(mel)
    noisy = model.noised(latents, [SEED], 0)
    yield from wrong_shape("noised", noisy, tuple(latents.shape), "[B, ...]")
    yield from wrong_shape("denoised", model.denoised(noisy, 0, text), tuple(latents.shape), "[B, ...]")
    yield from wrong_shape("decode", model.decode(latents), tuple(mel.shape), "[B, M, T]")
    yield from no_gradient("denoised in noisy", lambda leaf: model.denoised(leaf, 0, text), noisy)
    yield from no_gradient("decode", model.decode, latents)


def check_record(record: BandRecord, sample_rate: int) -> Iterator[str]:
    """A line for each thing that is wrong with a record."""
    yield from wrong_fields(record, ("id", "prompt", "cluster"))
    named = tuple(word for word in record.prompt.split() if word in record.known)
    if not named:
        yield f"the prompt of {record.id} names none of its known instruments: {', '.join(record.known)}"
    audio = record.audio(sample_rate)
    yield from wrong_sound(f"audio of {record.id}", audio, 1, "[S]")
    stems = record.stems(sample_rate, named)
    yield from wrong_sound(f"stems of {record.id}", stems, 2, "[I, S]")
    if stems.shape != (len(named), len(audio)):
        yield f"stems of {record.id} must be [{len(named)}, {len(audio)}], as its audio; found {list(stems.shape)}"


def sounds(record: BandRecord, sample_rate: int) -> dict[str, Any]:
    """Its mix [S] and the stems [I, S] of the instruments that its prompt names."""
    named = tuple(word for word in record.prompt.split() if word in record.known)
    return {"audio": record.audio(sample_rate), "stems": record.stems(sample_rate, named)}
