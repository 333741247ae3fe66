"""Normalisers: the words of a transcript as they are compared, so that what is said alike is alike.

A task's card names one. Each fixes the form of the text first: how a character is encoded, which of many apostrophes is
typed, and what cannot be seen, is never an error.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Literal, get_args

import regex

from earwitness.scoring.speech.english_spellings import AMERICAN

if TYPE_CHECKING:
    from collections.abc import Callable

Normaliser = Literal["unicode", "english"]
NORMALISERS: tuple[Normaliser, ...] = get_args(Normaliser)

_APOSTROPHES = regex.compile("[`´‘’‛′ʹʻʼʽʾ՚׳᾽᾿ꞌ＇]")
_SPACES = regex.compile(r"[\N{ZERO WIDTH SPACE}™℠]|(?<=\p{N})(?=\p{No})")
"""What parts words: a space that cannot be seen, marks of trade, and the place before an exponent or a fraction."""
_UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}|\p{Me}|\N{ARABIC TATWEEL}")
_DIGIT = regex.compile(r"(?V1)[\p{Nd}--[0-9]]")
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}']*")
"""Accents that stand alone are none."""
_LETTER = regex.compile(r"[\p{L}\p{N}]")
_NOT_LATIN = regex.compile(r"(?V1)[\p{L}--\p{Latin}--\p{Common}]")
_BRACKETED = (
    ("<[", ">]", regex.compile(r"[<\[][^>\]]*[>\]]")),
    ("(", ")", regex.compile(r"\([^)]+?\)")),
)
"""What opens and closes what the English normaliser leaves out, and the expression by which it does."""
_UNITS = regex.compile(r"(?<=\p{N}) +(?=%)|(?<=[$£€¢]) +(?=\p{N})")
"""Spaces between a number and its sign, which the English normaliser reads together."""
_POINTS = regex.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
"""Marks of Hebrew and Arabic, most of them vowels, that nearly all writing leaves out."""


def fixed(text: str) -> str:
    """A text in Unicode's composed form (NFC), with one apostrophe, and without what cannot be seen.

    >>> fixed("Ma\\u0308dchen, don\\u2019t")
    "Mädchen, don't"
    """
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", _UNSEEN.sub("", _SPACES.sub(" ", text)))


def _compatible(text: str) -> str:
    """A text in compatibility form (NFKC), its digits those of Latin script; those newer than Python's table stay."""
    # Fixed again, since compatibility forms of some letters hold an apostrophe.
    text = fixed(unicodedata.normalize("NFKC", text))
    return str(_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group(), digit.group())), text))


def words(text: str, normaliser: Normaliser) -> list[str]:
    """Words of a transcript as they are compared.

    >>> words("Mr. Hill’s colour — well-known, 50%", "english")
    ['mister', 'hill', 'is', 'color', 'well', 'known', '50%']
    >>> words("Die Straße — wohl­bekannt: हिन्दी", "unicode")
    ['die', 'strasse', 'wohlbekannt', 'हिन्दी']
    """
    return _FUNCTIONS[normaliser](fixed(text))


def alike_pointed(one: list[str], other: list[str]) -> tuple[list[str], list[str]]:
    """Two lists of words (or characters), without the Hebrew and Arabic points that only one of the two writes: those
    of a word that the other has bare, and all where the other writes none.

    >>> alike_pointed(["كَتَبَ"], ["كتب"])
    (['كتب'], ['كتب'])
    """
    return _as_pointed(one, other), _as_pointed(other, one)


def _as_pointed(own: list[str], other: list[str]) -> list[str]:
    bare = {word for word in other if not _POINTS.search(word)}
    none = len(bare) == len(set(other))
    plain = [(word, _POINTS.sub("", word)) for word in own]
    return [left if none or left in bare else word for word, left in plain if left or not none]


def _unicode(text: str) -> list[str]:
    """Runs of letters, marks, digits and apostrophes, in compatibility form and without case: for any language.

    Marks are kept, since in many scripts they are the vowels. Hyphens and dashes part words, symbols are left out.
    """
    # Folding case makes two of the Turkish capital, the letter and its dot.
    folded = _compatible(_compatible(text).casefold().replace("i\N{COMBINING DOT ABOVE}", "i"))
    return [word.rstrip("'") for word in _WORD.findall(folded)]


def _english(text: str) -> list[str]:
    """Words by the English normaliser of Whisper (Radford et al. 2022, appendix C): contractions are written out,
    numbers are digits, spellings are American, "uh" and what stands in brackets is left out.

    It drops marks, so that words of other scripts than Latin are left to the normaliser of any language.
    """
    found: list[str] = []
    # In compatibility form first: an ellipsis of one character would stay with its word.
    for foreign, run in groupby(_compatible(text).split(), key=lambda word: _NOT_LATIN.search(word) is not None):
        joined = " ".join(run)
        plain = _unicode(joined) if foreign else _american(joined)
        found += [word for word in plain if _LETTER.search(word)]
    return found


def _american(text: str) -> list[str]:
    try:
        return _whisper()(_unbracketed(_UNITS.sub("", text))).split()
    except ValueError:
        # Its numbers have no more digits than Python reads; what is longer is no number that anybody says.
        return _unicode(text)


def _unbracketed(text: str) -> str:
    """A text without what stands in brackets, as the English normaliser leaves it out.

    Brackets that nothing closes are made another symbol, which it drops as well: from each of them it would look
    through all that follows.
    """
    for openers, closers, whole in _BRACKETED:
        end = max(text.rfind(closer) for closer in closers) + 1
        text = whole.sub("", text[:end] + text[end:].translate(dict.fromkeys(map(ord, openers), "|")))
    return text


@cache
def _whisper() -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    made: Callable[[str], str] = EnglishTextNormalizer(AMERICAN)  # type: ignore[no-untyped-call]
    return made


_FUNCTIONS: dict[Normaliser, Callable[[str], list[str]]] = {"unicode": _unicode, "english": _english}
