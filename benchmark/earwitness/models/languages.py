"""Names of languages as people and checkpoints write them."""

from __future__ import annotations


def language_code(name: str) -> str:
    """The code of a language that is given as a code, as an English name or as a token of Whisper or Speech2Text.

    What no list knows comes back in lower case, for the caller to look up.

    >>> [language_code(name) for name in ("de", "German", "<|de|>", "<lang:de>", " DE ", "Klingon")]
    ['de', 'de', 'de', 'de', 'de', 'klingon']
    """
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    plain = name.strip().lower().strip("<|>").removeprefix("lang:")
    return str(TO_LANGUAGE_CODE.get(plain, plain))
