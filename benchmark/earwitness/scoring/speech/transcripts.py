"""Comparing transcripts: word errors (jiwer), sentence BLEU (sacrebleu), and which words of two transcripts agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import jiwer
import sacrebleu
from pydantic import Field

from earwitness.errors import EarwitnessError
from earwitness.scoring.speech.grids import Grid
from earwitness.scoring.speech.normalisers import Normaliser, alike_pointed, fixed, words

if TYPE_CHECKING:
    from collections.abc import Collection


LEAST = 20
"""Tokens that a transcript may have in any case."""


@dataclass(frozen=True)
class Comparison:
    """How transcripts are compared, and at which shares of cells: the table `[scoring]` of a speech task's card.

    >>> Comparison("english").words_of("Don't -- stop, Anna!")
    ['do', 'not', 'stop', 'anna']
    """

    normaliser: Normaliser = "unicode"
    """`unicode` for any language; `english` is Whisper's."""
    unit: Literal["word", "character"] = "word"
    """What is counted as one error: `character` for scripts that put no spaces between words."""
    bleu_tokeniser: Literal["13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none"] = "13a"
    """sacrebleu's; 13a parts words at spaces, and leaves a Chinese sentence one word."""
    grid: Grid = "even"
    """Shares of cells at which curves are taken: `even` is published, `fine` is finer up to 10 %."""
    bound: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = 3.0
    """Tokens that a transcript of what is left of a sound may have, as a multiple of those of the whole sound's: what
    is heard in scraps can go on for ever, and counts as all wrong long before that."""

    tokens: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Tokens of an utterance whose own maps are put to the test, drawn at random, the same for every entrant; all of
    them where it is not given. Each costs a curve, and a model that hears long windows may have no time for all."""

    def most_tokens(self, original: int) -> int:
        """Most tokens of a transcript of what is left, where the whole sound's has so many; never under `LEAST`.

        >>> Comparison().most_tokens(4), Comparison().most_tokens(12)
        (20, 36)
        """
        return max(LEAST, math.ceil(self.bound * original))

    def require(self, asked: Collection[str]) -> None:
        """Raise EarwitnessError, naming the choice, where what is asked of the choices cannot be used here."""
        if "bleu_tokeniser" in asked:
            try:
                self.bleu("one", "one")
            except EarwitnessError as error:
                raise EarwitnessError(f"bleu_tokeniser: {error}") from error

    def words_of(self, text: str) -> list[str]:
        """Words of a transcript as they are compared, or its characters without spaces."""
        found = words(text, self.normaliser)
        return found if self.unit == "word" else list("".join(found))

    def errors(self, wanted: list[str], found: list[str]) -> int:
        """Least number of words (of `words_of`) to substitute, delete or insert between two transcripts.

        >>> Comparison().errors(["open", "the", "door"], ["open", "door", "now"])
        2
        """
        wanted, found = alike_pointed(wanted, found)
        if not wanted:
            return len(found)
        compared = jiwer.process_words(" ".join(wanted), " ".join(found))
        return int(compared.substitutions + compared.deletions + compared.insertions)

    def bleu(self, wanted: str, found: str) -> float:
        """Sentence BLEU in [0, 1], with exponential smoothing and the effective order (sacrebleu).

        Case and punctuation count, as in published figures; how a character is encoded does not. Raises EarwitnessError
        where the tokeniser's own packages are missing.

        >>> round(Comparison().bleu("open the old door", "open the old door"), 6)
        1.0
        """
        try:
            scored = sacrebleu.sentence_bleu(
                fixed(found), [fixed(wanted)], "exp", use_effective_order=True, tokenize=self.bleu_tokeniser
            )
        except (ImportError, RuntimeError) as error:
            name = self.bleu_tokeniser
            raise EarwitnessError(
                f"sacrebleu's tokeniser {name} needs packages of its own: pip install 'sacrebleu[{name[:2]}]'"
            ) from error
        return float(scored.score) / 100

    def agreeing(self, wanted: str, found: str) -> dict[int, int]:
        """Indices of whitespace-separated words of `found` and of the equal word of `wanted` that each is paired with
        by an alignment of fewest errors.

        Each is normalised by itself: `twenty one` is not paired with `21`.

        >>> Comparison().agreeing("open the door", "Open a door")
        {0: 0, 2: 2}
        """
        left, right = self._each(wanted), self._each(found)
        if not left or not right:
            return {}
        said, heard = alike_pointed([*left.values()], [*right.values()])
        compared = jiwer.process_words(" ".join(said), " ".join(heard))
        one, other = list(left), list(right)
        return {
            other[chunk.hyp_start_idx + i]: one[chunk.ref_start_idx + i]
            for chunk in compared.alignments[0]
            if chunk.type == "equal"
            for i in range(chunk.ref_end_idx - chunk.ref_start_idx)
        }

    def _each(self, text: str) -> dict[int, str]:
        """Whitespace-separated words as they are compared, by index; those of which nothing is left are not there."""
        plain = ("".join(words(word, self.normaliser)) for word in text.split())
        return {index: word for index, word in enumerate(plain) if word}


ENGLISH = Comparison("english")
"""How English is compared; its methods under their own names, for whoever compares English alone."""
words_of, errors, bleu, agreeing = ENGLISH.words_of, ENGLISH.errors, ENGLISH.bleu, ENGLISH.agreeing
