"""TextGrids, Praat's text files of labelled intervals, as aligners write them.

Both text forms, long and short, are one to Praat (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html):
numbers, texts in double quotes and flags in angle brackets count, in their order, and all else is for people: `xmin =`,
`item [1]:`, what follows a `!`. The number of intervals stands before them, so that half a file is told from a whole
one. The readers that are kept do not look at it: praatio 6.2 and tgt 1.5 take the words that are there for all, and the
first takes -0.1 for 0.1 in long files, which is why neither is used here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from earwitness.datasets import Stretch
from earwitness.datasets.text_files import read_text
from earwitness.errors import EarwitnessError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGAIN = "align it again, or save it as Praat's text file"
DIGITS = 9
"""Of the number of a tier's intervals, at most."""
_TOKEN = re.compile(
    r'(?P<text>"[^"]*(?:""[^"]*)*")|(?P<open>")|(?P<flag><\w+>)|(?P<comment>![^\r\n]*)|(?P<word>[^\s"]+)'
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class IntervalTier(NamedTuple):
    """A tier of intervals."""

    name: str
    intervals: tuple[Stretch, ...]
    """As written, those without a label among them."""


def read_textgrid(path: Path) -> list[IntervalTier]:
    """Tiers of intervals of a TextGrid in UTF-8, long or short; tiers of points are left out.

    Times are in seconds, and nothing is asked of them. Raises EarwitnessError, in one line that names file and line,
    where the file cannot be read, is no TextGrid or ends before all is there that it tells of.
    """
    tokens = _Tokens(path, read_text(path, "align it again"))
    kinds = [token.text for token in tokens.found[:2] if token.kind == "text"]
    if len(kinds) < 2 or not kinds[0].startswith("ooTextFile") or kinds[1] != "TextGrid":
        raise EarwitnessError(f'{path}: no TextGrid, which begins with File type = "ooTextFile"; {AGAIN}')
    tokens.skip(2)
    tokens.number("start of the file")
    tokens.number("end of the file")
    if tokens.take("flag", "<exists>").text != "<exists>":
        return []
    return [tier for _ in range(tokens.count("tiers")) if (tier := _tier(tokens)) is not None]


def _tier(tokens: _Tokens) -> IntervalTier | None:
    """The next tier; None where it is one of points."""
    kind = tokens.take("text", "the class of a tier")
    name = tokens.take("text", "the name of a tier").text
    what = f"tier {shortened(name)!r}"
    tokens.number(f"start of {what}")
    tokens.number(f"end of {what}")
    count = tokens.count(f"intervals of {what}")
    if kind.text == "TextTier":
        tokens.skip(2 * count)
        return None
    if kind.text != "IntervalTier":
        raise EarwitnessError(
            f"{tokens.path}, line {kind.line}: an IntervalTier or a TextTier was expected; found "
            f"{shortened(kind.text)!r}; {AGAIN}"
        )
    return IntervalTier(name, tuple(_interval(tokens, what) for _ in range(count)))


def _interval(tokens: _Tokens, what: str) -> Stretch:
    start, stop = tokens.number(f"start of an interval of {what}"), tokens.number(f"end of an interval of {what}")
    return Stretch(tokens.take("text", f"the label of an interval of {what}").text, start, stop)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


class _Tokens:
    """Numbers, texts and flags of a file, taken one after the other."""

    def __init__(self, path: Path, content: str) -> None:
        self.path = path
        self.found = list(_tokens(path, content))
        self._next = 0

    def take(self, kind: str, what: str) -> _Token:
        """The next token, which should be of a kind."""
        if self._next >= len(self.found):
            raise EarwitnessError(f"{self.path}: cut off: {what} was expected, and the file ends; {AGAIN}")
        token = self.found[self._next]
        if token.kind != kind:
            raise EarwitnessError(
                f"{self.path}, line {token.line}: {what}, a {kind}, was expected; found {shortened(token.text)!r}; "
                f"{AGAIN}"
            )
        self._next += 1
        return token

    def number(self, what: str) -> float:
        return float(self.take("number", f"the {what}").text)

    def count(self, what: str) -> int:
        token = self.take("number", f"the number of {what}")
        if not token.text.isdigit() or len(token.text) > DIGITS:
            raise EarwitnessError(
                f"{self.path}, line {token.line}: the number of {what} was expected; found {shortened(token.text)!r}; "
                f"{AGAIN}"
            )
        return int(token.text)

    def skip(self, count: int) -> None:
        self._next += count


def _tokens(path: Path, content: str) -> Iterator[_Token]:
    line, at = 1, 0
    for match in _TOKEN.finditer(content):
        kind, found = str(match.lastgroup), match.group()
        line, at = line + content.count("\n", at, match.start()), match.start()
        if kind == "open":
            raise EarwitnessError(f"{path}, line {line}: cut off: no quote closes the one that opens here; {AGAIN}")
        if kind == "text":
            yield _Token(kind, found[1:-1].replace('""', '"'), line)
        elif kind == "flag":
            yield _Token(kind, found, line)
        elif kind == "word" and _NUMBER.fullmatch(found):
            yield _Token("number", found, line)
