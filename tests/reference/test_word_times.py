"""Cross-attention with dynamic time warping against transformers' own token times of Whisper.

`pytest -m reference tests/reference/test_word_times.py`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from earwitness.explaining.encoder_steps import over_steps
from earwitness.explaining.time_warping import evidence, first_steps, median_filtered
from earwitness.models import whisper
from reference.references import package
from speech_baselines import speech_baseline
from submissions.test_speech_on_adapters import an_item
from tiny_speech import tiny_whisper

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

VERSION, SECONDS = "5.24.0", 0.02


def token_times(attention: torch.Tensor, opening: int = 1) -> np.ndarray:
    """Their times (s) of rows after `opening`, from attention [L, H, opening + R, E]; all heads of the upper half."""
    theirs = package("transformers", "transformers.models.whisper.generation_whisper", VERSION)
    layers, heads = attention.shape[:2]
    chosen = [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]
    whisper_like: Any = SimpleNamespace(config=SimpleNamespace(decoder_layers=layers, median_filter_width=7))

    class Output(dict):  # type: ignore[type-arg]
        cross_attentions = (tuple(layer[None] for layer in attention),)
        sequences = torch.zeros(1, attention.shape[2] + 1, dtype=torch.long)

    extract = theirs.WhisperGenerationMixin._extract_token_timestamps
    found = extract(whisper_like, Output(), chosen, num_frames=2 * attention.shape[3], num_input_ids=opening)
    return np.asarray(found[0].numpy())


@pytest.mark.parametrize("seed", range(4))
def test_rows_begin_at_transformers_times(seed: int) -> None:
    attention = (4 * torch.randn(4, 2, 9, 60, generator=torch.Generator().manual_seed(seed))).softmax(-1)
    begins = first_steps(evidence(attention[2:, :, 1:].flatten(0, 1).double().numpy()))
    times = token_times(attention)
    # Their first entry is the opening token's, and the last row's time is repeated.
    np.testing.assert_allclose(begins * SECONDS, times[1 : 1 + len(begins)], atol=1e-5)


@pytest.mark.parametrize("width", [1, 3, 7])
def test_the_median_filter_is_transformers(width: int) -> None:
    theirs = package("transformers", "transformers.models.whisper.generation_whisper", VERSION)._median_filter
    values = torch.randn(2, 3, 4, 30, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(median_filtered(values.numpy(), width), theirs(values, width).numpy())


def test_a_whispers_map_has_its_words_between_transformers_times(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    model = whisper.from_pretrained(str(tiny_whisper(tmp_path)))
    item = an_item(model, 3)
    explainer = speech_baseline("cross_attention_dtw").build()
    cross, step = over_steps(explainer.attention(model, item).cross[0])
    assert cross.shape[2] == len(item.tokens) + 1
    opened = torch.cat([cross[:, :, :1], cross], 2)
    times = np.rint(token_times(opened) / SECONDS).astype(int)[1 : 2 + len(item.tokens)]
    found = explainer.explain(model, item).spectrogram[..., 0]
    last = [np.flatnonzero(item.words == word)[-1] for word in item.words]
    first = [np.flatnonzero(item.words == word)[0] for word in item.words]
    for k, row in enumerate(found):
        inside = np.unique(step.numpy()[row > 0])
        start, end = times[first[k]], times[last[k] + 1]
        assert inside.tolist() == list(range(start, max(end, start + 1)))
