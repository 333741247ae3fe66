"""Masks per second of teacher-forced logits beside the bare forward pass: `pytest tests/speed -m slow`."""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import Speech2TextConfig

sys.path.insert(0, str(Path(__file__).parents[1]))

from earwitness.models import speech2text
from tiny_speech import tiny_speech2text

pytestmark = pytest.mark.slow

FRAMES, TOKENS = 200, torch.tensor([[4, 5, 6, 7, 8, 9]])
MICRO = Speech2TextConfig(
    d_model=128, encoder_layers=3, decoder_layers=2, encoder_ffn_dim=384, decoder_ffn_dim=384, conv_channels=128,
    input_feat_per_channel=40, max_source_positions=1000, max_target_positions=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.set_num_threads(1)
    return speech2text.from_pretrained(str(tiny_speech2text(tmp_path_factory.mktemp("micro"), config=MICRO)))


def seconds(run):
    start = time.process_time()
    run()
    return time.process_time() - start


@pytest.mark.parametrize("batch", [16, 64, 256, 512])
def test_masked_spectrograms_go_through_as_fast_as_through_the_bare_module(model, batch):
    bare = copy.deepcopy(model.module)
    masked = torch.randn(batch, FRAMES, model.bins) * (torch.rand(batch, FRAMES, model.bins) > 0.5)
    ids = torch.cat([torch.tensor([model.prompt]), TOKENS[:, :-1]], dim=1).expand(batch, -1)

    def pairs():
        with torch.no_grad():
            yield (
                seconds(lambda: model.logits(masked, TOKENS)),
                seconds(lambda: bare(masked, decoder_input_ids=ids, use_cache=False)),
            )

    timed = [pair for _ in range(5) for pair in pairs()]
    ours, plain = (min(times) for times in zip(*timed[1:], strict=True))
    print(f"batch {batch}: {batch / ours:.0f} masks/s, bare {batch / plain:.0f}, ratio {plain / ours:.3f}")
    assert plain / ours > 0.9


def test_prefix_masks_of_one_spectrogram_are_far_cheaper_than_spectrograms(model):
    masks = (torch.rand(256, TOKENS.shape[1]) > 0.4).float()
    spectrograms = torch.randn(256, FRAMES, model.bins)
    with torch.no_grad():
        shared = min(seconds(lambda: model.logits(spectrograms[:1], TOKENS, masks)) for _ in range(5))
        apart = min(seconds(lambda: model.logits(spectrograms, TOKENS, masks)) for _ in range(5))
    print(f"prefix masks: {256 / shared:.0f}/s with the encoder shared, {256 / apart:.0f}/s without")
    assert shared < apart / 3
