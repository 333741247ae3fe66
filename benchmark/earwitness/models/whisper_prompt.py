"""The tokens that open a Whisper's transcript: start, language and task where the model has several, no timestamps.

Newer checkpoints say in generation_config.json which languages they know. Older and fine-tuned ones say less: what they
know is then read from their tokenizer, and their defaults from `forced_decoder_ids`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError, short
from earwitness.models.languages import language_code

if TYPE_CHECKING:
    from earwitness.models.encoder_decoder_files import Parts

ENGLISH_END, MULTILINGUAL_END = 50256, 50257
"""Ids of <|endoftext|> in the published English-only and multilingual checkpoints, and so in what is fine-tuned from
them; the tokenizers of both hold the names of all languages."""
TASKS = ("transcribe", "translate")
SILENT = "notimestamps"
_LANGUAGE = re.compile(r"<\|([a-z]{2,3}(?:[-_][A-Za-z]+)?)\|>")
_NO_LANGUAGES = frozenset({"bos", "cls", "eos", "eot", "pad", "sep", "sot", "unk"})


def opening(source: str, parts: Parts, language: str | None, task: str | None) -> list[int]:
    """Ids that open a transcript in a language, for a task; what is None comes from the folder, else en, transcribe.

    Raises ModelError where the model does not know the language or the task, or lacks one of the tokens.
    """
    start = _start(source, parts)
    silent = without_timestamps(source, parts)
    if not is_multilingual(source, parts):
        _require_english(source, language, task)
        return [start, silent]
    own_language, own_task = _defaults(source, parts)
    said = language_code(language or own_language or "en")
    return [start, _language(source, parts, said), _task(source, parts, task or own_task or TASKS[0]), silent]


def _start(source: str, parts: Parts) -> int:
    for place in (_generation(parts), parts.module.config):
        told = getattr(place, "decoder_start_token_id", None)
        if told is not None:
            return _own_id(source, parts, "decoder_start_token_id", told)
    found = _known(parts, "startoftranscript")
    if found is None:
        raise ModelError(f"{source} does not say with which token a transcript starts; set decoder_start_token_id")
    return found


def without_timestamps(source: str, parts: Parts) -> int:
    """Id of the token that says that no timestamps follow; those after it are timestamps."""
    told = getattr(_generation(parts), "no_timestamps_token_id", None)
    if told is not None:
        return _own_id(source, parts, "no_timestamps_token_id", told)
    found = _known(parts, SILENT)
    if found is None:
        raise ModelError(f"the tokenizer of {source} has no <|{SILENT}|>; save the one that Whisper was trained with")
    return found


def is_multilingual(source: str, parts: Parts) -> bool:
    """Whether a model takes a language: as its settings say, else as its ids and its forced tokens tell.

    >>> from types import SimpleNamespace as Of
    >>> settings = Of(is_multilingual=False)
    >>> is_multilingual("m", Of(module=Of(generation_config=settings, config=Of(vocab_size=51865))))
    False
    """
    told = getattr(_generation(parts), "is_multilingual", None)
    if told is not None:
        if not isinstance(told, bool):
            raise ModelError(f"is_multilingual of {source} is {short(repr(told))[:80]}, not true or false; take it out")
        return told
    if _table_of_ids(source, parts, "lang_to_id"):
        return True
    end = parts.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    if end in (ENGLISH_END, MULTILINGUAL_END):
        return bool(end == MULTILINGUAL_END)
    forced = [pairs[0] for place in _places(parts) if (pairs := _forced(source, place))]
    if forced and forced[0][1] == without_timestamps(source, parts):
        return False
    return bool(_languages(source, parts)) and _known(parts, TASKS[0]) is not None


def _require_english(source: str, language: str | None, task: str | None) -> None:
    if language_code(language or "en") != "en" or (task or TASKS[0]) != TASKS[0]:
        raise ModelError(
            f"{source} recognises English alone; take `language` and `task` out of the task's parameters, or name a "
            "multilingual Whisper"
        )


def _defaults(source: str, parts: Parts) -> tuple[str | None, str | None]:
    """Language and task that a folder asks for where the card names none."""
    settings = _generation(parts)
    language, task = getattr(settings, "language", None), getattr(settings, "task", None)
    languages, tasks = (
        {i: name for name, i in ids.items()} for ids in (_languages(source, parts), _tasks(source, parts))
    )
    known = {*languages, *tasks, without_timestamps(source, parts)}
    for place in _places(parts):
        for _, token in _forced(source, place):
            if token not in known:
                raise ModelError(
                    f"{source} forces {_text(parts, token)} at the start of a transcript, which is no language or task "
                    "of its tokenizer; take it out of forced_decoder_ids"
                )
            language, task = language or languages.get(token), task or tasks.get(token)
    return (str(language) if language else None), (str(task) if task else None)


def _forced(source: str, place: Any) -> list[tuple[int, int]]:
    """Positions and tokens that settings force at a transcript's start; a position may be left open by null."""
    ids = getattr(place, "forced_decoder_ids", None)
    try:
        return [(int(position), int(token)) for position, token in ids or () if token is not None]
    except (TypeError, ValueError, OverflowError):
        raise ModelError(
            f"{source} has forced_decoder_ids that are no pairs of position and token: {short(repr(ids))[:80]}; take "
            "them out"
        ) from None


def _language(source: str, parts: Parts, code: str) -> int:
    known = _languages(source, parts)
    if code not in known:
        raise ModelError(
            f"{source} knows no language {code!r}; give one of its codes ({', '.join(list(known)[:8])}"
            f'{", ..." if len(known) > 8 else ""}) as in `language = "de"`'
        )
    return known[code]


def _languages(source: str, parts: Parts) -> dict[str, int]:
    """Ids of the languages that the tokenizer or the generation settings have a token of, by their codes."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    named = (_LANGUAGE.fullmatch(str(text)) for text in parts.tokenizer.get_vocab())
    own = sorted({found[1] for found in named if found} - _NO_LANGUAGES - set(LANGUAGES))
    known = {code.lower(): i for code in (*LANGUAGES, *own) if (i := _known(parts, code)) is not None}
    return known | _table_of_ids(source, parts, "lang_to_id")


def _task(source: str, parts: Parts, task: str) -> int:
    known = _tasks(source, parts)
    if task not in known:
        raise ModelError(f"{source} knows no task {task!r}; give one of {', '.join(known) or 'another Whisper'}")
    return known[task]


def _tasks(source: str, parts: Parts) -> dict[str, int]:
    """Ids of the tasks, by their names."""
    known = {name: i for name in TASKS if (i := _known(parts, name)) is not None}
    told = _table_of_ids(source, parts, "task_to_id")
    return known | {name: i for name, i in told.items() if name in TASKS}


def _table_of_ids(source: str, parts: Parts, key: str) -> dict[str, int]:
    """A table of the generation settings, such as `lang_to_id`: ids by names, which are given as such or as tokens."""
    told = getattr(_generation(parts), key, None)
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise ModelError(f"the {key} of {source} is no table of tokens and their ids; take it out")
    return {str(name).strip("<|>").lower(): _own_id(source, parts, key, i) for name, i in told.items()}


def _own_id(source: str, parts: Parts, key: str, told: Any) -> int:
    """An id that generation settings name; raises ModelError where the model has no such token."""
    config: Any = parts.module.config
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told < config.vocab_size:
        raise ModelError(
            f"the {key} of {source} names the token {short(repr(told))[:80]}, and its ids go from 0 to "
            f"{config.vocab_size - 1}; save the generation settings that it was trained with"
        )
    return told


def _known(parts: Parts, name: str) -> int | None:
    """Id of a special token, if tokenizer and model have it."""
    config: Any = parts.module.config
    found = parts.tokenizer.convert_tokens_to_ids(f"<|{name}|>")
    return None if found is None or found == parts.tokenizer.unk_token_id or found >= config.vocab_size else int(found)


def _text(parts: Parts, token: int) -> str:
    """The token of an id, or the id where the tokenizer has none."""
    try:
        return str(parts.tokenizer.convert_ids_to_tokens(token) or token)
    except (IndexError, OverflowError, TypeError):
        return str(token)


def _places(parts: Parts) -> tuple[Any, Any]:
    """Where a folder says what it forces: the generation settings before the configuration."""
    return _generation(parts), parts.module.config


def _generation(parts: Parts) -> Any:
    return parts.module.generation_config
