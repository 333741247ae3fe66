"""The comment on a pull request, made of a page that a stranger's run may have written.

`python -m earwitness.pull_requests.comment FILE` prints it. FILE is a page, or the archive that GitHub keeps it in: of
that the one member `report.md` is read, as far as a bound, and nothing is unpacked. What the page cannot forge stands
above it: the commit, and how the workflow ended, from whom GitHub tells. Runs where nothing but Python is installed.
"""

from __future__ import annotations

import sys
import zipfile
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError, short
from earwitness.pull_requests.text import cleaned, code, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMBER = "report.md"
MOST_BYTES = 200_000
"""Of a page."""
MARK = "<!-- earwitness: one comment a pull request -->"
"""By which the comment of an earlier run is found."""


def comment(path: Path, commit: str = "", ended: str = "", mark: str = MARK) -> str:
    """The text of the comment; a page that cannot be read is said to be none."""
    lines = [mark]
    if commit or ended:
        told = [f"commit {code(commit[:10])}"] if commit else []
        told += [f"the workflow ended with {code(ended)}"] if ended else []
        lines += [
            f"Of {', '.join(told)}. What follows was written where the pull request's code was run, in a box.",
            "",
        ]
    try:
        return "\n".join([*lines, cleaned(_read(path))])
    except EarwitnessError as error:
        return "\n".join([*lines, f"There is no report to show: {plain(short(str(error)))}", ""])


def _read(path: Path) -> str:
    """A page's text; raises EarwitnessError where there is none, or it is too long."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(MEMBER) as file:
                content = file.read(MOST_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except KeyError:
        raise EarwitnessError(f"the archive has no {MEMBER}") from None
    except Exception as error:
        # An archive may be broken in more ways than the library has errors of its own for.
        raise EarwitnessError(f"{path.name} cannot be read: {type(error).__name__}") from error
    if not content.strip():
        raise EarwitnessError("the run left none; its log says why")
    if len(content) > MOST_BYTES:
        raise EarwitnessError(f"{MEMBER} is longer than {MOST_BYTES:,} bytes")
    return content.decode("utf-8", "replace")


def main(words: Sequence[str] | None = None) -> int:
    """Print the comment; the exit code."""
    parser = ArgumentParser(prog="python -m earwitness.pull_requests.comment", description=__doc__)
    parser.add_argument("file", metavar="FILE", type=Path, help="a page, or the archive of one")
    parser.add_argument("--commit", metavar="SHA", default="", help="of the pull request, as GitHub tells it")
    parser.add_argument("--ended", metavar="WORD", default="", help="how the workflow ended, as GitHub tells it")
    parser.add_argument("--mark", metavar="TEXT", default=MARK, help="first line, by which the comment is found again")
    given = parser.parse_args(words)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(comment(given.file, given.commit, given.ended, given.mark), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
