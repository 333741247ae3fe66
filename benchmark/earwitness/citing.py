"""How a submission is cited, as BibTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.errors import is_blank

if TYPE_CHECKING:
    from datetime import date

    from earwitness.submission_card import SubmissionCard

UNNAMED = "none named"
"""The licence of a card that names none."""
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
_IN_ADDRESS = {"{": "%7B", "}": "%7D", "\\": "%5C"}


def licence(card: SubmissionCard) -> str:
    """The licence of a submission, in words where it has none."""
    return UNNAMED if is_blank(card.licence) else card.licence


def citation(card: SubmissionCard, hash: str, on: date, year: str = "") -> str:
    """An entry of BibTeX for a submission, of this hash, as it may be named on a day; the paper of its method is named
    in a note, since a card does not say who wrote it.

    `year` is that of its rows; without one the entry has none. Fields: https://www.bibtex.org/Format
    """
    shown = card.as_shown(on)
    note = [f"Licence: {licence(card)}"]
    if card.is_anonymous(on):
        note.append(f"authors are named from {card.anonymous_until}")
    if shown.paper is not None:
        note.append(f"method: {shown.paper.title}")
    fields = {
        # Braces keep a name whole, of which BibTeX would otherwise make given and family names.
        "author": " and ".join(f"{{{escaped(author)}}}" for author in shown.authors) or "{unknown}",
        "title": f"{{{escaped(card.title)}}}",
        "year": year,
        "howpublished": escaped(f"Earwitness submission {card.id}, version {card.version}, hash {hash}"),
        "url": "".join(_IN_ADDRESS.get(letter, letter) for letter in shown.paper.url) if shown.paper else "",
        "note": escaped("; ".join(note)),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{earwitness:{card.id}:{hash[:8]},", *lines, "}"])


def escaped(text: str) -> str:
    r"""A text of which LaTeX makes nothing else.

    >>> escaped("50 % of R&D")
    '50 \\% of R\\&D'
    """
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
