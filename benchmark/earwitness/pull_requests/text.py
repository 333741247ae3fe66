"""Anybody's text in Markdown: it is shown as it is, and nobody is called, linked or quoted by it.

Whoever sends a pull request writes a card, an explainer and what that raises; a machine that ran it may be theirs. So
text is made plain where a page is written, and once more where somebody with the right to comment reads that page.
Only what Python brings along is used here: a comment is made where nothing is installed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from earwitness.errors import steers

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKS = "\\`*_[]<>|~&$!"
"""Letters that mean something in Markdown."""
APART = "\u200b"
"""Stands where a name, a number or an address would be made a link of; it takes no room."""
CALLS = re.compile(r"@|#|(?<=[a-z]):(?=//)|\bwww(?=\.)|\bGH(?=-\d)|(?<!\S)(?:/(?=\w)|:(?=:))", re.IGNORECASE)
"""What GitHub makes links of (people, issues, addresses), and what other programs take for a command to them."""
LONGEST_LINE, MOST_LINES, MOST_LETTERS = 2_000, 400, 50_000
"""Of a page; a comment has room for 65,536 letters."""
_CELL = re.compile(r"(?<!\\)\|")
_PIECE = re.compile(rf"(\*\*[a-z ]+\*\*)|\\([{re.escape(MARKS)}])|`([^`]*)`|(.)")
"""Of a line: a bold word, a letter that is marked, a name in the letters of code, any letter."""
_RULE = re.compile(r"\|( --- \|)+")
_LEAD = re.compile(r"(#{3,4} |- )?(.*)")


def plain(text: str) -> str:
    r"""A text as one line of Markdown that shows it as it is.

    >>> plain("<b>@all</b> fixes #1\n\x1b[2J"), plain("a_b")
    ('\\<b\\>@\u200ball\\</b\\> fixes #\u200b1 ?\\[2J', 'a\\_b')
    """
    return _marked(_seen(text))


def code(text: str) -> str:
    """A name as it is written, in the letters of code.

    >>> code("fid_f@top30"), code("a`b|c")
    ('`fid_f@top30`', "`a'b/c`")
    """
    return f"`{_seen(text).replace('`', chr(39)).replace('|', '/')}`"


def table(columns: Sequence[str], records: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are Markdown."""
    rows = [columns, *records]
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return [lines[0], f"|{' --- |' * len(columns)}", *lines[1:], ""]


def cleaned(page: str) -> str:
    """A page, whoever wrote it, with what this library's own pages have and nothing else.

    Headings, lists, tables, bold words and names in the letters of code stay; all other text is made plain. A page of
    this library's comes out as it went in, short of lines and letters beyond the bounds.
    """
    lines = page[: 2 * MOST_LETTERS].splitlines()
    found: list[str] = []
    letters = 0
    for line in lines:
        clean = _line(line[:LONGEST_LINE])
        letters += len(clean) + 1
        if letters > MOST_LETTERS or len(found) == MOST_LINES:
            return "\n".join([*found, "", "The rest is left out: the page is too long for a comment."]) + "\n"
        found.append(clean)
    return "\n".join(found) + "\n"


def _line(line: str) -> str:
    line = line.strip()
    if _RULE.fullmatch(line):
        return line
    if line.startswith("|") and line.endswith("|") and len(line) > 1:
        cells = [_inline(cell.strip()) for cell in _CELL.split(line)[1:-1]]
        return f"| {' | '.join(cells)} |"
    found = _LEAD.fullmatch(_seen(line))
    assert found is not None
    return (found.group(1) or "") + _inline(found.group(2))


def _inline(text: str) -> str:
    """Text with names in the letters of code; what is marked already is not marked again."""
    pieces, run = [], ""
    for bold, marked, name, letter in _PIECE.findall(_seen(text)):
        if marked or letter:
            run += marked or letter
        else:
            pieces += [_marked(run), bold or code(name)]
            run = ""
    return "".join([*pieces, _marked(run)])


def _marked(text: str) -> str:
    line = CALLS.sub(lambda found: found.group() + APART, text)
    return "".join(f"\\{letter}" if letter in MARKS else letter for letter in line)


def _seen(text: str) -> str:
    """The text in one line, `?` for letters that are none."""
    line = " ".join(text.replace(APART, "").split())
    return "".join("?" if steers(letter) else letter for letter in line)
