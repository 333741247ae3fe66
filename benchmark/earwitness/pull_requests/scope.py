"""Which submission a pull request adds, by git alone: one new folder below `submissions/`, of plain files.

`python -m earwitness.pull_requests.scope --base REF [--head REF] [--into DIR]` prints its name, and writes its files.
What runs here is the code of the checkout: of the pull request nothing but the bytes of these files is taken.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.commits import EXECUTABLE, FILE, LINK, MODULE, NOTHING, SHORT, GitChange, Repository
from earwitness.errors import DONE, NO, EarwitnessError, shortened, steers, unwritten
from earwitness.hub.files import NAME
from earwitness.pull_requests.ending import ended
from earwitness.task import ID, LONGEST_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

HOME = "submissions"
MOST_FILES, MOST_BYTES, DEEPEST = 100, 10 << 20, 6
KINDS = {"tasks": "a task", "benchmark": "the library", "leaderboard": "the page", ".github": "what runs here"}
"""What top folders hold, for people."""
MODES = {
    LINK: "is a symbolic link; put the file itself in its place",
    MODULE: "is a submodule; put its files in its place",
    EXECUTABLE: "is executable, and nothing in a submission is started: git update-index --chmod=-x",
}
ALONE = "a pull request with a submission adds one folder below submissions/ and changes nothing else"


class OutOfScopeError(EarwitnessError):
    """A pull request does something else than to add one submission."""

    exit_code = NO


@dataclass(frozen=True)
class Addition:
    """The submission that a pull request adds."""

    name: str
    files: tuple[GitChange, ...]
    size: int
    """Bytes of all of them."""


def addition(repository: Repository, base: str, head: str) -> Addition:
    """The one submission that the commits up to `head` add to what they forked from.

    Raises OutOfScopeError, in one line, where they do anything else, and GitError where base or head is no commit.
    """
    base, head = repository.commit(base), repository.commit(head)
    changes = repository.changes(repository.fork(base, head), head)
    if not changes:
        raise OutOfScopeError(f"{head[:SHORT]} changes nothing of {base[:SHORT]}; commit the folder of the submission")
    _refuse_elsewhere(changes)
    name = _new_folder(changes, repository.names(base, HOME))
    files = [change for change in changes if change.after != NOTHING]
    for change in files:
        _refuse_file(change)
    _refuse_twins([change.path for change in files])
    return Addition(name, tuple(files), _bytes(repository, name, files))


def take(repository: Repository, added: Addition, into: Path) -> Path:
    """Write an addition's files below a folder, plain and as they are stored; returns the submission's folder.

    Raises EarwitnessError where the folder is there already or cannot be written.
    """
    folder = into / HOME / added.name
    if os.path.lexists(folder):
        raise EarwitnessError(f"{folder} is there already; name another folder by --into, or delete it")
    for change in added.files:
        path = into / change.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(repository.content(change.blob))
        except OSError as error:
            raise unwritten(path, error, "delete the folder and run it again") from error
    return folder


def _refuse_elsewhere(changes: Sequence[GitChange]) -> None:
    """Raise where a path lies in no folder below `submissions/`."""
    others = [change.path for change in changes if not _inside(change.path)]
    if others:
        kind = KINDS.get(others[0].partition("/")[0])
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise OutOfScopeError(
            f"{ALONE}; this one changes {shown(others[0])}{f' ({kind})' if kind else ''}{more}: send that as a pull "
            "request of its own"
        )


def _inside(path: str) -> bool:
    return path.startswith(f"{HOME}/") and path.count("/") >= 2


def _new_folder(changes: Sequence[GitChange], known: Sequence[str]) -> str:
    """The name of the one folder that changes are in; raises where it is no new one, or there are several."""
    names = list(dict.fromkeys(change.path.split("/")[1] for change in changes))
    former = {name.casefold(): name for name in known}
    for name in names:
        twin = former.get(name.casefold())
        if twin == name:
            raise OutOfScopeError(
                f"{ALONE}; submissions/{shown(name)} is there already: call yours otherwise, or leave that one as it is"
            )
        if twin is not None:
            raise OutOfScopeError(
                f"submissions/{shown(name)} and submissions/{shown(twin)} are one folder where capitals do not count; "
                "call yours otherwise"
            )
    gone = [change.path for change in changes if not change.added]
    if gone:
        raise OutOfScopeError(f"{ALONE}; {shown(gone[0])} was there before: leave it as it was")
    if len(names) > 1:
        raise OutOfScopeError(f"{ALONE}; this one adds {', '.join(map(shown, names))}: send a pull request for each")
    if not re.fullmatch(ID, names[0]) or len(names[0]) > LONGEST_ID:
        raise OutOfScopeError(
            f"submissions/{shown(names[0])}: that name is no id, which is of a-z, 0-9 and _ and no longer than "
            f"{LONGEST_ID}; rename the folder and the id in its card"
        )
    return names[0]


def _refuse_file(change: GitChange) -> None:
    """Raise where a file is no plain one, or has a name that not everybody sees alike."""
    if change.after != FILE:
        raise OutOfScopeError(f"{shown(change.path)} {MODES.get(change.after, 'is no file')}")
    parts = change.path.split("/")
    bad = next((part for part in parts if not NAME.fullmatch(part) or part.endswith(".")), None)
    if bad is not None:
        raise OutOfScopeError(
            f"{shown(change.path)}: names are of letters, digits, _, - and . alone, with neither a leading nor a "
            "trailing dot; rename it"
        )
    if "__pycache__" in parts or parts[-1].endswith((".pyc", ".pyo")):
        raise OutOfScopeError(f"{shown(change.path)} is byte code, which nobody reads; take it out")
    if len(parts) > DEEPEST:
        raise OutOfScopeError(f"{shown(change.path)} lies too deep; use at most {DEEPEST - 3} folders")


def _refuse_twins(paths: Sequence[str]) -> None:
    """Raise where two paths are one on a file system that does not tell capitals."""
    # A folder may have a twin, too: each part of a path is looked at.
    spelt = {path.rsplit("/", depth)[0] for path in paths for depth in range(path.count("/") + 1)}
    counts = Counter(path.casefold() for path in spelt)
    twins = sorted(path for path in spelt if counts[path.casefold()] > 1)
    if twins:
        raise OutOfScopeError(
            f"{shown(twins[0])} and {shown(twins[1])} are one file where capitals do not count; rename one"
        )


def _bytes(repository: Repository, name: str, files: Sequence[GitChange]) -> int:
    """How large the files are together; raises where they are too many or too large."""
    if len(files) > MOST_FILES:
        raise OutOfScopeError(f"submissions/{name} has {len(files)} files; at most {MOST_FILES}")
    total = sum(repository.size(change.blob) for change in files)
    if total > MOST_BYTES:
        raise OutOfScopeError(
            f"submissions/{name} has {total:,} bytes; at most {MOST_BYTES:,}: what is larger has a place of its own "
            "to be read from"
        )
    return total


def shown(path: str) -> str:
    """A name from a pull request as a message shows it: short, and nothing in it steers a terminal.

    >>> shown("submissions/a\\nb/\\udcff")
    'submissions/a?b/?'
    """
    return shortened("".join("?" if steers(letter) else letter for letter in path))


def main(words: Sequence[str] | None = None) -> int:
    """Print the name of the submission that a pull request adds; the exit code."""
    parser = ArgumentParser(prog="python -m earwitness.pull_requests.scope", description=__doc__)
    parser.add_argument("--base", metavar="REF", required=True, help="commit that the pull request is to be merged to")
    parser.add_argument("--head", metavar="REF", default="HEAD", help="its last commit; default: HEAD")
    parser.add_argument("--repository", metavar="DIR", type=Path, default=Path(), help="default: here")
    parser.add_argument("--into", metavar="DIR", type=Path, help="write its files below DIR/submissions")
    parser.add_argument("--report", metavar="FILE", type=Path, help="where to say in Markdown why it is refused")
    given = parser.parse_args(words)

    def work() -> int:
        repository = Repository.of(given.repository)
        added = addition(repository, given.base, given.head)
        if given.into is not None:
            take(repository, added, given.into)
        print(added.name)
        return DONE

    return ended(given.report, "refused", work)


if __name__ == "__main__":
    sys.exit(main())
