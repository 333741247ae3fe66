"""A Whisper of tiny.en's sizes beside its bare encoder and transformers' search: `pytest tests/speed -m slow -s`.

Weights are random: what passes cost does not hang on what is said. Seconds are CPU seconds of one thread.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import (
    GenerationConfig,
    GenerationMixin,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from earwitness.explaining.memory import ROWS_BYTES, peak_bytes
from earwitness.models.encoder_decoder_files import Parts
from earwitness.models.whisper import WhisperModel
from earwitness.tracks.speech import SpeechItem
from speech_baselines import speech_baseline
from tiny_speech import whisper_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SECONDS, TOKENS, POINTS, ROUNDS = 2.5, 8, 21, 3


@pytest.fixture(scope="module")
def model() -> WhisperModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = whisper_tokenizer()
    start, silent, end = tokenizer.convert_tokens_to_ids(["<|startoftranscript|>", "<|notimestamps|>", "<|endoftext|>"])
    config = WhisperConfig(
        vocab_size=51864, d_model=384, encoder_layers=4, decoder_layers=4, encoder_ffn_dim=1536, decoder_ffn_dim=1536,
        encoder_attention_heads=6, decoder_attention_heads=6, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=start,
    )  # fmt: skip
    module: Any = WhisperForConditionalGeneration(config)
    module.generation_config = GenerationConfig(
        max_length=448, pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start
    )
    return WhisperModel(Parts(module, tokenizer, WhisperFeatureExtractor(80)), [start, silent], silent)


@pytest.fixture(scope="module")
def item(model: WhisperModel) -> SpeechItem:
    audio = np.random.default_rng(0).normal(0, 0.1, round(SECONDS * model.sample_rate)).astype(np.float32)
    tokens = np.arange(20, 20 + TOKENS)
    return SpeechItem("noise", 0, "", ("",) * TOKENS, model.features(audio), tokens, np.arange(TOKENS))


def removed(item: SpeechItem, rows: int) -> Tensor:
    """Spectrograms [rows, T, M] with half of the cells at their mean."""
    gone = np.random.default_rng(1).random((rows, *item.features.shape)) < 0.5
    return torch.as_tensor(np.where(gone, item.features.mean(0), item.features).astype(np.float32))


def seconds(*runs: Callable[[], object]) -> list[float]:
    """Median CPU seconds of each of some pieces of work, which take turns."""
    timed: list[list[float]] = [[] for _ in runs]
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for run, times in zip(runs, timed, strict=True):
                start = time.process_time()
                run()
                times.append(time.process_time() - start)
    return [statistics.median(times) for times in timed]


def test_masks_go_through_nearly_as_fast_as_through_the_bare_encoder(model: WhisperModel, item: SpeechItem) -> None:
    rows, tokens = removed(item, 8), torch.as_tensor(item.tokens)[None]
    window = model._window(rows)
    ours, bare = seconds(lambda: model.logits(rows, tokens), lambda: model._encoder(window))
    print(f"\n{8 / ours:.2f} masks a second, {bare / ours:.2f} of the bare encoder's {8 / bare:.2f}")
    assert bare / ours > 0.9


def test_prefix_masks_cost_next_to_nothing_beside_spectrograms(model: WhisperModel, item: SpeechItem) -> None:
    rows, tokens = removed(item, 1), torch.as_tensor(item.tokens)[None]
    masks = (torch.rand(64, TOKENS, generator=torch.Generator().manual_seed(0)) > 0.4).float()
    masked, encoded = seconds(lambda: model.logits(rows, tokens, masks), lambda: model.encode(rows))
    print(f"\na prefix mask takes {(masked - encoded) / 64:.4f} s, an encoding {encoded:.3f}")
    assert (masked - encoded) / 64 < encoded / 20


def test_a_curve_is_searched_far_faster_than_by_transformers(model: WhisperModel, item: SpeechItem) -> None:
    with torch.inference_mode():
        states = model.encode(removed(item, 1)).repeat(POINTS, 1, 1)
    settings: Any = GenerationConfig(**{**model._search.to_dict(), "num_beams": 5, "max_new_tokens": TOKENS})

    def whole_batch() -> None:
        module: Any = model.module
        GenerationMixin.generate(
            module, states, generation_config=settings, encoder_outputs=BaseModelOutput(last_hidden_state=states),
            decoder_input_ids=torch.tensor([model.prompt]).expand(POINTS, -1), attention_mask=None,
        )  # fmt: skip

    ours, theirs = seconds(lambda: model._search_through(states, 5, TOKENS), whole_batch)
    print(f"\n{POINTS} transcripts of {TOKENS} tokens by five beams: {ours:.2f} s, by generate {theirs:.2f} s")
    assert ours < theirs / 3


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("spes", {"masks": 64, "prefix_masks": 64}),
        ("rise", {"masks": 64, "prefix_masks": 64}),
        ("word_lime", {"masks": 64}),
        ("occlusion", {"frames": 16, "bins": 16}),
        ("integrated_gradients", {"steps": 8}),
        ("gradient_input", {}),
        ("attention", {}),
    ],
)
def test_no_entrant_takes_more_memory_than_passes_may(
    model: WhisperModel, item: SpeechItem, name: str, parameters: dict[str, Any]
) -> None:
    explainer = speech_baseline(name).build(**parameters)
    start = time.process_time()
    peak = peak_bytes(lambda: explainer.explain(model, item))
    print(f"\n{name} {parameters}: {peak / 2**20:.0f} MiB, {time.process_time() - start:.0f} s")
    assert peak < 1.5 * ROWS_BYTES
