"""The tokens that open a Whisper's transcript: start, language and task where the model has several, no timestamps.

Newer checkpoints say in generation_config.json which languages they know. Older and fine-tuned ones say less: what they
know is then read from their tokenizer, and their defaults from `forced_decoder_ids`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError
from earwitness.models.languages import language_code

if TYPE_CHECKING:
    from earwitness.models.encoder_decoder_files import Parts

ENGLISH_VOCABULARY = 51864
"""Tokens of the published English-only checkpoints, whose tokenizers hold the names of all languages, too."""
TASKS = ("transcribe", "translate")
SILENT = "notimestamps"


def opening(source: str, parts: Parts, language: str | None, task: str | None) -> list[int]:
    """Ids that open a transcript in a language, for a task; what is None comes from the folder, else en, transcribe.

    Raises ModelError where the model does not know the language or the task, or lacks one of the tokens.
    """
    silent = without_timestamps(source, parts)
    start = _start(source, parts)
    if not is_multilingual(parts):
        _require_english(source, language, task)
        return [start, silent]
    own_language, own_task = _defaults(source, parts)
    said = language_code(language or own_language or "en")
    return [start, _language(source, parts, said), _task(source, parts, task or own_task or TASKS[0]), silent]


def without_timestamps(source: str, parts: Parts) -> int:
    """Id of the token that says that no timestamps follow; those after it are timestamps."""
    told = getattr(_generation(parts), "no_timestamps_token_id", None)
    found = _known(parts, SILENT) if told is None else int(told)
    if found is None:
        raise ModelError(f"the tokenizer of {source} has no <|{SILENT}|>; save the one that Whisper was trained with")
    return found


def is_multilingual(parts: Parts) -> bool:
    """Whether a model takes a language: as its settings say, else whether its tokenizer has one that it may be asked.

    >>> from types import SimpleNamespace as Of
    >>> settings = Of(is_multilingual=False)
    >>> is_multilingual(Of(module=Of(generation_config=settings, config=Of(vocab_size=51865))))
    False
    """
    settings = _generation(parts)
    told = getattr(settings, "is_multilingual", None)
    if told is not None:
        return bool(told)
    if getattr(settings, "lang_to_id", None):
        return True
    config: Any = parts.module.config
    return int(config.vocab_size) != ENGLISH_VOCABULARY and bool(_languages(parts)) and bool(_known(parts, TASKS[0]))


def _require_english(source: str, language: str | None, task: str | None) -> None:
    if language_code(language or "en") != "en" or (task or TASKS[0]) != TASKS[0]:
        raise ModelError(
            f"{source} recognises English alone; take `language` and `task` out of the task's parameters, or name a "
            "multilingual Whisper"
        )


def _defaults(source: str, parts: Parts) -> tuple[str | None, str | None]:
    """Language and task that a folder asks for where the card names none."""
    settings: Any = _generation(parts)
    config: Any = parts.module.config
    language, task = getattr(settings, "language", None), getattr(settings, "task", None)
    for place in (settings, config):
        for name in _forced(source, parts, getattr(place, "forced_decoder_ids", None)):
            task = task or (name if name in TASKS else None)
            language = language or (name if name not in (*TASKS, SILENT) else None)
    return (str(language) if language else None), (str(task) if task else None)


def _forced(source: str, parts: Parts, ids: Any) -> list[str]:
    """Names of the tokens that a folder forces at a transcript's start; a position may be left open by null."""
    try:
        forced = [int(token) for _, token in ids or () if token is not None]
        texts = [str(parts.tokenizer.convert_ids_to_tokens(token)) for token in forced]
    except (TypeError, ValueError, OverflowError, IndexError):
        raise ModelError(f"{source} has forced_decoder_ids that are no pairs of position and token: {ids!r}") from None
    names = [text.strip("<|>") for text in texts]
    known = {*TASKS, SILENT, *_languages(parts)}
    strange = next((text for text, name in zip(texts, names, strict=True) if name not in known), None)
    if strange is not None:
        raise ModelError(
            f"{source} forces {strange} at the start of a transcript, which is no language or task of its tokenizer; "
            "take it out of forced_decoder_ids"
        )
    return names


def _languages(parts: Parts) -> list[str]:
    """Codes of the languages that the tokenizer has a token of."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return [code for code in LANGUAGES if _known(parts, code) is not None]


def _language(source: str, parts: Parts, code: str) -> int:
    found = _known(parts, code) if code in (languages := _languages(parts)) else None
    if found is None:
        raise ModelError(
            f"{source} knows no language {code!r}; give one of its codes ({', '.join(languages[:8])}"
            f'{", ..." if len(languages) > 8 else ""}) as in `language = "de"`'
        )
    return found


def _task(source: str, parts: Parts, task: str) -> int:
    found = _known(parts, task) if task in TASKS else None
    if found is None:
        raise ModelError(f"{source} knows no task {task!r}; give one of {', '.join(TASKS)}")
    return found


def _start(source: str, parts: Parts) -> int:
    for place in (parts.module.config, _generation(parts)):
        told = getattr(place, "decoder_start_token_id", None)
        if told is not None:
            return int(told)
    found = _known(parts, "startoftranscript")
    if found is None:
        raise ModelError(f"{source} does not say with which token a transcript starts; set decoder_start_token_id")
    return found


def _known(parts: Parts, name: str) -> int | None:
    """Id of a special token, if tokenizer and model have it."""
    config: Any = parts.module.config
    found = parts.tokenizer.convert_tokens_to_ids(f"<|{name}|>")
    return None if found is None or found == parts.tokenizer.unk_token_id or found >= config.vocab_size else int(found)


def _generation(parts: Parts) -> Any:
    return parts.module.generation_config
