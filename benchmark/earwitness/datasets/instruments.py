"""Which known instruments the words of a prompt name, however a person writes them."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_NOTHING = "_"
"""Stands for a word that names nothing, so that those after it keep their places."""
_BASS_GUITAR = re.compile(r"\b(bass(?:es)?[ \-\u2010\u2011]+)guitars?\b")


def instruments(prompt: str, known: Collection[str]) -> list[tuple[int, str]]:
    """Index of the whitespace-separated word, and the known instrument, of each that a prompt names, in its order.

    Case, punctuation, digits and the number do not count: "Guitars," and "guitar" name the same. A word of several
    parts (drums/bass) names what each of them names, as if spaces stood between them. A bass guitar is a bass.

    >>> instruments("Two guitars, drums/bass and a piano…", ("bass", "drums", "guitar", "piano"))
    [(1, 'guitar'), (2, 'drums'), (2, 'bass'), (5, 'piano')]
    >>> instruments("a bass-guitar and a bass guitar", ("bass", "guitar"))
    [(1, 'bass'), (4, 'bass')]
    """
    words = [unicodedata.normalize("NFKC", word).casefold() for word in prompt.split()]
    said = _BASS_GUITAR.sub(rf"\1{_NOTHING}", " ".join(words))
    return [
        (index, name)
        for index, word in enumerate(said.split(" "))
        for part in re.split(r"[\W\d_]+", word)
        for name in _name(part, known)
    ]


def _name(part: str, known: Collection[str]) -> list[str]:
    """The known instrument that a part of a word names: itself, its singular or its plural; none where there is none.

    >>> _name("basses", ("bass",)), _name("drum", ("drums",)), _name("bas", ("bass",))
    (['bass'], ['drums'], [])
    """
    forms = [part, part.removesuffix("s"), part.removesuffix("es"), f"{part}s"]
    if part.endswith("s"):
        forms.pop()
    return [form for form in forms if form and form in known][:1]
