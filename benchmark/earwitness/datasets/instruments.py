"""Which known instruments the words of a prompt name, however a person writes them."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_NOTHING = "_"
"""Stands for a word that names nothing, so that those after it keep their places."""
_GAP = "[ \\-\u2010\u2011]+"
"""What stands between the words of a compound; a comma, a slash or an "and" parts instruments."""
_COMPOUNDS = tuple(
    (re.compile(pattern.replace(" ", _GAP)), meant)
    for pattern, meant in (
        (r"\b((?:guitar|bass|piano|harp|violin|viola|cello)(?:s|es)?['’]?s? )strings?\b", rf"\1{_NOTHING}"),
        (r"\bstring( (?:bass|guitar)(?:s|es)?)\b", rf"{_NOTHING}\1"),
        (r"\b(bass(?:es)? )(?:guitar|synth(?:esi[sz]er)?)s?\b", rf"\1{_NOTHING}"),
        (r"\bsynth(?:esi[sz]er)?( bass(?:es)?)\b", rf"{_NOTHING}\1"),
        (
            r"\bbass( (?:clarinet|drum|flute|harmonica|marimba|oboe|recorder|sax|saxophone|trombone|trumpet|tuba|viol)"
            r"(?:s|es)?)\b",
            rf"{_NOTHING}\1",
        ),
    )
)
"""Compounds of which one word alone names an instrument, and what is left of them: a bass drum is a drum, a bass guitar
and a synth bass are basses, guitar strings are a guitar."""
_SPACE = "\u200b"
"""Counts as a sign of setting, and parts words."""
_SHORT = {"bassguitar": "bass", "sax": "saxophone", "synth": "synthesizer", "synthesiser": "synthesizer"}
"""Other words for an instrument."""


def instruments(prompt: str, known: Collection[str]) -> list[tuple[int, str]]:
    """Index of the whitespace-separated word, and the known instrument, of each that a prompt names, in its order.

    Case, punctuation, digits and the number do not count: "Guitars," and "guitar" name the same. A word of several
    parts (drums/bass) names what each of them names, as if spaces stood between them. A bass guitar is a bass.

    >>> instruments("Two guitars, drums/bass and a piano…", ("bass", "drums", "guitar", "piano"))
    [(1, 'guitar'), (2, 'drums'), (2, 'bass'), (5, 'piano')]
    >>> instruments("a bass-guitar, a bass drum and a synth", ("bass", "drums", "guitar", "synthesizer"))
    [(1, 'bass'), (4, 'drums'), (7, 'synthesizer')]
    """
    said = " ".join(_plain(word) for word in prompt.split())
    for pattern, meant in _COMPOUNDS:
        said = pattern.sub(meant, said)
    return [
        (index, name)
        for index, word in enumerate(said.split(" "))
        for part in re.split(r"[\W\d_]+", word)
        for name in _name(part, known)
    ]


def _plain(word: str) -> str:
    """A word in small letters without the signs that only say how it is set, like a soft hyphen."""
    letters = unicodedata.normalize("NFKC", word).casefold()
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Cf" or letter == _SPACE)


def _name(part: str, known: Collection[str]) -> list[str]:
    """The known instrument that a part of a word names: itself, its singular, its plural or another word for it.

    >>> _name("basses", ("bass",)), _name("drum", ("drums",)), _name("saxes", ("saxophone",)), _name("bas", ("bass",))
    (['bass'], ['drums'], ['saxophone'], [])
    """
    forms = [part, part.removesuffix("s"), part.removesuffix("es"), f"{part}s"]
    if part.endswith("s"):
        forms.pop()
    forms += [_SHORT[form] for form in forms if form in _SHORT]
    return [form for form in forms if form and form in known][:1]
