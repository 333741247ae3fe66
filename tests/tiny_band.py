"""A tiny randomly initialised AudioLDM2 pipeline in diffusers' format, with the published one's parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

BAND_WORDS = ["a", "recording", "of", "and", "with", "bass", "drum", "drums", "flute", "piano", "guitar", "saxo"]
BAND_BINS, BAND_FRAMES, BAND_HOP, BAND_RATE = 16, 64, 160, 16_000
STATES = 3
"""That the language model generates."""


def band_tokenizer() -> T5Tokenizer:
    """Words are one token; "saxophone" is two, and what is unknown is spelled."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0), ("phone", -3.0)]
    pieces += [(f"▁{word}", -2.0) for word in BAND_WORDS] + [(letter, -10.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=64)


def tiny_pipeline(seed: int = 0, streams: list[int | None] | None = None) -> AudioLDM2Pipeline:
    """An untrained pipeline for .64 s at 16 kHz; `streams` are the widths that each layer's attentions look at."""
    torch.manual_seed(seed)
    tokenizer = band_tokenizer()
    return AudioLDM2Pipeline(
        vae=AutoencoderKL(
            in_channels=1, out_channels=1, latent_channels=4, block_out_channels=(4, 8, 8), layers_per_block=1,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            norm_num_groups=4, mid_block_add_attention=False, scaling_factor=0.7,
        ),
        text_encoder=_clap(),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(tokenizer), d_model=12, d_kv=6, d_ff=16, num_layers=1, num_heads=2, dropout_rate=0)
        ),
        projection_model=AudioLDM2ProjectionModel(8, 12, 8),
        language_model=_language_model(),
        tokenizer=RobertaTokenizer(model_max_length=8),
        tokenizer_2=tokenizer,
        feature_extractor=ClapFeatureExtractor(sampling_rate=BAND_RATE),
        unet=AudioLDM2UNet2DConditionModel(
            sample_size=BAND_FRAMES // 4, in_channels=4, out_channels=4, block_out_channels=(8, 16),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), layers_per_block=1, norm_num_groups=4,
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=[streams or [None, 8, 12]] * 2,
            attention_head_dim=2,
        ),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
        vocoder=SpeechT5HifiGan(
            SpeechT5HifiGanConfig(
                model_in_dim=BAND_BINS, sampling_rate=BAND_RATE, upsample_initial_channel=16,
                upsample_rates=[5, 4, 4, 2], upsample_kernel_sizes=[15, 8, 8, 4], resblock_kernel_sizes=[3],
                resblock_dilation_sizes=[[1, 3]], normalize_before=False, initializer_range=0.3,
            )
        ),
    )  # fmt: skip


def tiny_audioldm2(folder: Path, seed: int = 0, streams: list[int | None] | None = None) -> Path:
    """Save the pipeline; its folder."""
    tiny_pipeline(seed, streams).save_pretrained(folder)
    return folder


def _clap() -> ClapModel:
    text = ClapTextConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
        projection_dim=8,
    )
    audio = ClapAudioConfig(
        spec_size=64, num_mel_bins=16, hidden_size=16, patch_embeds_hidden_size=8, depths=[1, 1],
        num_attention_heads=[1, 1], num_hidden_layers=2, projection_dim=8, window_size=4,
    )  # fmt: skip
    return ClapModel(ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=8)).eval()


def _language_model() -> Any:
    config: Any = GPT2Config(
        vocab_size=8, n_positions=96, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=1
    )
    config.max_new_tokens = STATES
    return GPT2LMHeadModel(config).eval()
