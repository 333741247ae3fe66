"""How transcripts are searched for: what of a folder's generation settings shapes one, and nothing else of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKENS = ("bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id")
SHAPING = (
    "bad_words_ids",
    "begin_suppress_tokens",
    "early_stopping",
    "exponential_decay_length_penalty",
    "forced_eos_token_id",
    "length_penalty",
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "remove_invalid_values",
    "renormalize_logits",
    "repetition_penalty",
    "sequence_bias",
    "suppress_tokens",
)
"""Settings that say which transcript is best. Those of sampling, of caches, of assistants and of what is returned are
left out: a transcription gives one row an utterance, the same one each time, whatever a folder says."""


def search_settings(module: Any, opening: int, unsaid: Sequence[int], max_tokens: int | None) -> GenerationConfig:
    """Settings of a search that is deterministic and kept from the tokens `unsaid`, an end apart.

    The transcript is bounded by `max_tokens`, or by the module's own settings, and by its decoder's positions less the
    `opening` tokens of the prompt. The module's settings are cut to its special tokens: `generate` would fill from them
    whatever the search leaves unset.
    """
    own = module.generation_config
    most = int(module.config.max_target_positions) - opening
    usual = own.max_new_tokens or (own.max_length or 0) - opening
    tokens = {name: value for name in TOKENS if (value := getattr(own, name, None)) is not None}
    shaping = {name: value for name in SHAPING if (value := getattr(own, name, None)) is not None}
    shaping["max_new_tokens"] = min(most, max_tokens or (usual if usual > 0 else most))
    barred = {*as_list(own.suppress_tokens), *unsaid} - set(as_list(own.eos_token_id))
    shaping["suppress_tokens"] = sorted(barred)
    module.generation_config = GenerationConfig(**tokens)  # type: ignore[no-untyped-call]
    return GenerationConfig(**tokens, **shaping)  # type: ignore[no-untyped-call]


def as_list(ids: int | Sequence[int] | None) -> list[int]:
    """Ids of tokens, of which a configuration may name none, one or several."""
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)
