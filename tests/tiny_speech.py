"""Tiny randomly initialised speech-to-text models in the hub's format, built in about a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import nn
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Speech2TextConfig,
    Speech2TextFeatureExtractor,
    Speech2TextForConditionalGeneration,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

SPEECH_WORDS = ["turn", "the", "lamp", "ramp", "on", "off", "red", "van", "fan", "move", "left", "slowly"]
# transformers' Speech2Text marks sounding encoder steps by 0, padding by 1, and looks both up as if they were tokens:
# its encoder has positions only where the padding token is 1.
SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
SPEECH_BINS, WHISPER_SECONDS, WHISPER_LANGUAGES = 16, 4, ("en", "de")
LONGEST_TRANSCRIPT = 12


def word_tokenizer(words: list[str] | None = None) -> PreTrainedTokenizerFast:
    """A word-level tokenizer with Speech2Text's special tokens, that adds none by itself."""
    vocabulary = {**SPECIAL, **{word: len(SPECIAL) + i for i, word in enumerate(words or SPEECH_WORDS)}}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=64,
    )  # fmt: skip


def tiny_speech2text(
    folder: Path, seed: int = 0, words: list[str] | None = None, config: Speech2TextConfig | None = None
) -> Path:
    """Save a Speech2Text at 16 kHz with a word-level tokenizer; without `config` of 16 mel bins and at most 20 s."""
    tokenizer = word_tokenizer(words)
    config = config or Speech2TextConfig(
        d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        encoder_attention_heads=2, decoder_attention_heads=2, conv_channels=24, conv_kernel_sizes=[5, 5],
        num_conv_layers=2, input_feat_per_channel=SPEECH_BINS, max_source_positions=2000, max_target_positions=64,
    )  # fmt: skip
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
    config.update({"vocab_size": len(tokenizer), **special})
    model = _seeded(lambda: Speech2TextForConditionalGeneration(config), seed)
    model.generation_config = GenerationConfig(max_length=LONGEST_TRANSCRIPT, num_beams=1, **special)
    bins = config.input_feat_per_channel
    extractor = Speech2TextFeatureExtractor(feature_size=bins, num_mel_bins=bins, sampling_rate=16000)
    return _save(folder, model, tokenizer, extractor)


def whisper_tokenizer() -> WhisperTokenizer:
    """A byte-level tokenizer with whole words, Whisper's special tokens and its timestamps."""
    letters = sorted({letter for word in SPEECH_WORDS for letter in word} | {"Ġ"})
    tokens, merges = list(letters), []
    for word in SPEECH_WORDS:
        left = "Ġ"
        for letter in word:
            if left + letter not in tokens:
                tokens.append(left + letter)
                merges.append((left, letter))
            left += letter
    vocabulary = {token: i for i, token in enumerate([*tokens, "<|endoftext|>"])}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges, pad_token="<|endoftext|>")
    languages = [f"<|{language}|>" for language in WHISPER_LANGUAGES]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|startoftranscript|>", *languages, *tasks]})
    tokenizer.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(WHISPER_SECONDS * 50 + 1)])
    return tokenizer


def tiny_whisper(folder: Path, seed: int = 0, multilingual: bool = True) -> Path:
    """Save a Whisper of 16 mel bins whose window is 4 s, with its tokenizer, into `folder`."""
    tokenizer = whisper_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in _WHISPER_NAMES}
    end = ids["endoftext"]
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_mel_bins=SPEECH_BINS,
        max_source_positions=WHISPER_SECONDS * 50, max_target_positions=64, pad_token_id=end, bos_token_id=end,
        eos_token_id=end, decoder_start_token_id=ids["startoftranscript"], begin_suppress_tokens=None,
    )  # fmt: skip
    model = _seeded(lambda: WhisperForConditionalGeneration(config), seed)
    languages = {f"<|{language}|>": ids[language] for language in WHISPER_LANGUAGES}
    tasks = {task: ids[task] for task in ("transcribe", "translate")}
    many = {"lang_to_id": languages, "task_to_id": tasks, "language": "en", "task": "transcribe"}
    model.generation_config = GenerationConfig(
        max_length=LONGEST_TRANSCRIPT + 4, num_beams=1, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=ids["startoftranscript"], no_timestamps_token_id=ids["notimestamps"],
        prev_sot_token_id=ids["startofprev"], is_multilingual=multilingual, return_timestamps=False,
        suppress_tokens=[ids["startoftranscript"], *languages.values(), *tasks.values()],
        begin_suppress_tokens=[end], max_initial_timestamp_index=50, **(many if multilingual else {}),
    )  # fmt: skip
    extractor = WhisperFeatureExtractor(feature_size=SPEECH_BINS, sampling_rate=16000, chunk_length=WHISPER_SECONDS)
    return _save(folder, model, tokenizer, extractor)


_WHISPER_NAMES = (
    "endoftext", "startoftranscript", *WHISPER_LANGUAGES, "translate", "transcribe", "startofprev", "notimestamps",
)  # fmt: skip


def _seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 and "embed_positions" not in name:
                # Weights as small as the initial ones would make every frame and token matter next to nothing; a tied
                # embedding as large as the rest would make every token predict itself.
                scale = 0.4 if "embed_tokens" in name else 2.5 if "decoder.layers" in name else 1.6
                nn.init.normal_(parameter, std=scale / parameter[0].numel() ** 0.5)
    return model


def _save(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast, extractor: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
