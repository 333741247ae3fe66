"""A tiny randomly initialised Stable Audio pipeline in diffusers' format, with the published one's parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderOobleck,
    EDMDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from transformers import T5Config, T5EncoderModel

from tiny_band import band_tokenizer

CELLS, CELL, RATE, HEADS, LAYERS = 12, 256, 4000, 4, 2
"""Latents of a sound, samples of a latent, Hz, and heads and layers of the denoiser: .768 s."""


def tiny_stable_pipeline(seed: int = 0, layers: int = LAYERS, scheduler: Any = None) -> StableAudioPipeline:
    """An untrained pipeline whose keys and values have half as many heads as its queries.

    The published scheduler needs torchsde; the one here differs from it in adding no noise between steps.
    """
    tokenizer = band_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformer = StableAudioDiTModel(
            sample_size=CELLS, in_channels=4, num_layers=layers, attention_head_dim=8, num_attention_heads=HEADS,
            num_key_value_attention_heads=2, out_channels=4, cross_attention_dim=16, time_proj_dim=8,
            global_states_input_dim=20, cross_attention_input_dim=10,
        )  # fmt: skip
        # Weights as small as the initial ones would make every token matter next to nothing.
        for name, parameter in transformer.named_parameters():
            if "attn2" in name or "cross_attention_proj" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        return StableAudioPipeline(
            vae=AutoencoderOobleck(
                encoder_hidden_size=8, downsampling_ratios=[4, 8, 8], channel_multiples=[1, 2, 2], decoder_channels=8,
                decoder_input_channels=4, audio_channels=2, sampling_rate=RATE,
            ),
            text_encoder=T5EncoderModel(
                T5Config(
                    vocab_size=len(tokenizer), d_model=12, d_kv=6, d_ff=16, num_layers=1, num_heads=2, dropout_rate=0
                )
            ),
            projection_model=StableAudioProjectionModel(
                text_encoder_dim=12, conditioning_dim=10, min_value=0, max_value=512
            ),
            tokenizer=tokenizer,
            transformer=transformer,
            scheduler=scheduler
            or EDMDPMSolverMultistepScheduler(
                sigma_min=0.3, sigma_max=50.0, sigma_data=1.0, prediction_type="v_prediction",
                sigma_schedule="exponential",
            ),
        )  # fmt: skip


def tiny_stable_audio(folder: Path, seed: int = 0, layers: int = LAYERS, scheduler: Any = None) -> Path:
    """Save the pipeline; its folder."""
    tiny_stable_pipeline(seed, layers, scheduler).save_pretrained(folder)
    return folder
