"""The tokens of transcripts: their text, and the word that each belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class TranscriptTokens:
    """A tokenizer of transformers, fast or not, asked what the tokens of a transcript say."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def text(self, tokens: Sequence[int]) -> str:
        """The transcript of tokens [O]."""
        return self._decode(tokens).strip()

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """What each token adds to the text before it, or its own name where it adds nothing.

        Bytes of one character that are spread over tokens show as the replacement character until the last of them.
        """
        texts = self._prefixes(tokens)
        added = [text[_common(before, text) :].strip() for before, text in zip(["", *texts], texts, strict=False)]
        names = self._tokenizer.convert_ids_to_tokens([int(token) for token in tokens])
        return [piece or str(name) for piece, name in zip(added, names, strict=True)]

    def words(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """[O]: index of the whitespace-separated word of `text(tokens)` that a token belongs to.

        A token that covers only the space before a word belongs to that word.
        """
        texts = self._prefixes(tokens)
        last = max(len(self.text(tokens).split()) - 1, 0)
        index = [min(max(len(text.split()) - (not text[-1:].isspace()), 0), last) for text in texts]
        return np.array(index, dtype=np.int64)

    def _prefixes(self, tokens: Sequence[int]) -> list[str]:
        return [self._decode(tokens[: end + 1]) for end in range(len(tokens))]

    def _decode(self, tokens: Sequence[int]) -> str:
        ids = [int(token) for token in tokens]
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
