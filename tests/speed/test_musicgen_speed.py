"""CPU time of the inner loop at the micro-model's size: `pytest tests/speed --benchmark-enable -m slow`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import MusicgenDecoderConfig

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny
from earwitness.models import musicgen

pytestmark = [pytest.mark.slow, pytest.mark.benchmark(timer=time.process_time)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.set_num_threads(1)
    shape = MusicgenDecoderConfig(
        vocab_size=256, hidden_size=128, ffn_dim=384, num_hidden_layers=4, num_attention_heads=4,
        num_codebooks=4, pad_token_id=256, bos_token_id=256,
    )  # fmt: skip
    folder = tiny.tiny_musicgen(tmp_path_factory.mktemp("micro"), decoder=shape)
    return musicgen.from_pretrained(str(folder), seconds=2.0)


@pytest.mark.parametrize("batch", [16, 64, 128])
def test_sampling_a_batch_of_masked_prompts(benchmark, model, batch):
    text = model.encode(["the dog barks loudly near a quiet bell far"] * batch)
    mask = torch.rand(batch, model.frames, text.mask.shape[1]).round()
    codes = benchmark.pedantic(model.sample, args=(text, range(batch), mask), rounds=3, warmup_rounds=1)
    assert codes.shape == (batch, 4, 50)


def test_a_teacher_forced_pass_with_its_gradient(benchmark, model):
    text = model.encode(["the dog barks loudly near a quiet bell far"] * 64)
    codes = model.sample(text, 0)

    def step():
        mask = torch.full((64, model.frames, text.mask.shape[1]), 0.5, requires_grad=True)
        model.logits(codes, text, mask).sum().backward()
        return mask.grad

    assert benchmark.pedantic(step, rounds=3, warmup_rounds=1).abs().sum() > 0
