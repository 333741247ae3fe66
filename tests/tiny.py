"""Tiny randomly initialised models in the hub's format, built in about a second."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    EncodecConfig,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)

WORDS = ["a", "the", "dog", "barks", "siren", "wails", "rain", "bell", "rings", "loudly", "quiet", "far", "near"]
CODEBOOKS, CODES, FRAMES = 4, 16, 12


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that ends every prompt with </s>, as T5's does."""
    vocabulary = {token: index for index, token in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def tiny_decoder() -> MusicgenDecoderConfig:
    """2 layers over 4 codebooks of 16 codes."""
    return MusicgenDecoderConfig(
        vocab_size=CODES, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
        num_codebooks=CODEBOOKS, max_position_embeddings=64, pad_token_id=CODES, bos_token_id=CODES,
    )  # fmt: skip


def tiny_musicgen(folder: Path, seed: int = 0, decoder: MusicgenDecoderConfig | None = None) -> Path:
    """Save a MusicGen of 25 Hz and 12 frames, with its tokenizer, into `folder`.

    The text encoder is wider or narrower than the decoder, so that states pass through `enc_to_dec_proj`.
    """
    decoder = decoder or tiny_decoder()
    codes = decoder.vocab_size
    text = T5Config(
        vocab_size=len(WORDS) + 3, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0,
        is_encoder_decoder=False, use_cache=False,
    )  # fmt: skip
    bandwidth = 0.025 * CODEBOOKS * (codes.bit_length() - 1)
    codec = EncodecConfig(
        sampling_rate=1600, upsampling_ratios=[8, 8], num_filters=4, hidden_size=8, codebook_size=codes,
        num_lstm_layers=1, target_bandwidths=[bandwidth], kernel_size=3, last_kernel_size=3,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MusicgenForConditionalGeneration(
            MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)
        )
        _sharpen(model)
    model.generation_config = GenerationConfig(
        max_new_tokens=FRAMES + CODEBOOKS - 1, guidance_scale=3.0, do_sample=True, temperature=0.9,
        pad_token_id=codes, bos_token_id=codes, decoder_start_token_id=codes,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def _sharpen(model: MusicgenForConditionalGeneration) -> None:
    # Weights as small as the initial ones would make every token matter next to nothing.
    for parameter in [*model.decoder.parameters(), *model.enc_to_dec_proj.parameters()]:
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.4)
    for layer in model.audio_encoder.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
