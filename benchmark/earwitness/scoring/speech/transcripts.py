"""Comparing transcripts: word errors (jiwer), sentence BLEU (sacrebleu), and which words of two transcripts agree."""

from __future__ import annotations

import jiwer
import sacrebleu


def words_of(text: str) -> list[str]:
    """Words of a transcript as they are compared: lower case, letters, digits and apostrophes alone.

    >>> words_of("Don't -- stop, Anna!")
    ["don't", 'stop', 'anna']
    """
    return [word for word in map(plain, text.split()) if word]


def plain(word: str) -> str:
    """A whitespace-separated word in lower case, without punctuation; may be empty.

    >>> plain("“Lamp,")
    'lamp'
    """
    return "".join(letter for letter in word.lower() if letter.isalnum() or letter == "'").strip("'")


def errors(wanted: list[str], found: list[str]) -> int:
    """Least number of words to substitute, delete or insert between two transcripts.

    >>> errors(["open", "the", "door"], ["open", "door", "now"])
    2
    """
    if not wanted:
        return len(found)
    compared = jiwer.process_words(" ".join(wanted), " ".join(found))
    return int(compared.substitutions + compared.deletions + compared.insertions)


def bleu(wanted: str, found: str) -> float:
    """Sentence BLEU in [0, 1], with exponential smoothing and the effective order (sacrebleu).

    >>> round(bleu("open the old door", "open the old door"), 6)
    1.0
    """
    return float(sacrebleu.sentence_bleu(found, [wanted], smooth_method="exp", use_effective_order=True).score) / 100


def agreeing(wanted: str, found: str) -> dict[int, int]:
    """Indices of whitespace-separated words of `found` and of the equal word of `wanted` that each is paired with by
    an alignment of fewest errors.

    >>> agreeing("open the door", "Open a door")
    {0: 0, 2: 2}
    """
    left = [(i, word) for i, word in enumerate(map(plain, wanted.split())) if word]
    right = [(i, word) for i, word in enumerate(map(plain, found.split())) if word]
    if not left or not right:
        return {}
    compared = jiwer.process_words(" ".join(word for _, word in left), " ".join(word for _, word in right))
    return {
        right[chunk.hyp_start_idx + i][0]: left[chunk.ref_start_idx + i][0]
        for chunk in compared.alignments[0]
        if chunk.type == "equal"
        for i in range(chunk.ref_end_idx - chunk.ref_start_idx)
    }
