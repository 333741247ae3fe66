"""`python -m earwitness.pull_requests FOLDER`: what `make submission` does with one folder, here and on GitHub."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.box.devices import DEVICES, require
from earwitness.cli.output import progress
from earwitness.cli.run import MOST_ITEMS
from earwitness.commits import SHORT, GitError, Repository
from earwitness.errors import EarwitnessError, shortened
from earwitness.harness import engines
from earwitness.pull_requests.ending import ended, write
from earwitness.pull_requests.page import page
from earwitness.pull_requests.scope import OutOfScopeError, addition
from earwitness.pull_requests.scoring import BASELINES, ITEMS, Asked, look_at

if TYPE_CHECKING:
    from collections.abc import Sequence

BRANCHES = ("origin/main", "main")
"""What a branch is meant to be merged to, where nothing else is said."""


def main(words: Sequence[str] | None = None) -> int:
    """Look at the submission in a folder and say what was found; the exit code."""
    given = _parser().parse_args(words)
    return ended(given.report, "not scored", lambda: _looked_at(given))


def _looked_at(given: Namespace) -> int:
    asked = Asked(given.out, given.items, given.tasks, given.baselines, given.device)
    require(given.device)
    with progress() as shown:
        scope = _scope(given.folder, given.base, given.head)
        shown.say(f"scope: {scope}")
        found = look_at(given.folder, asked, engines.get("local"), shown)
    text = page(found, scope)
    write(given.report, text)
    print(text)
    return found.exit_code


def _scope(folder: Path, base: str | None, head: str) -> str:
    """What a pull request of this branch would add, in words.

    Raises EarwitnessError where a base is named and the branch adds anything but the folder to it.
    """
    try:
        repository = Repository.of(folder if folder.is_dir() else Path())
        last = repository.commit(head)
        found = base or next((name for name in BRANCHES if _is_there(repository, name)), None)
        if found is None or (base is None and repository.fork(found, last) == last):
            return "this branch has no commit of its own, so that nobody asked what else it changes"
        added = addition(repository, found, last)
        if added.name != folder.resolve().name:
            raise OutOfScopeError(f"{last[:SHORT]} adds submissions/{added.name} and not {folder}")
    except EarwitnessError as error:
        if base is not None:
            raise
        if isinstance(error, GitError):
            return f"nobody asked what else a pull request changes: {error}"
        return f"a pull request of this branch would be refused: {error}"
    files = f"{len(added.files)} files, {added.size:,} bytes"
    name = found[:SHORT] if repository.commit(found) == found else shortened(found)
    return f"against {name} {last[:SHORT]} adds submissions/{added.name} alone: {files}"


def _is_there(repository: Repository, ref: str) -> bool:
    try:
        return bool(repository.commit(ref))
    except GitError:
        return False


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m earwitness.pull_requests", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder of the submission")
    parser.add_argument("--items", metavar="N", type=_count, default=ITEMS, help="first N items of a task")
    parser.add_argument("--tasks", metavar="ID[,ID]", type=_names, default=(), help="default: the small one a track")
    parser.add_argument(
        "--baselines", metavar="ID[,ID]", type=_names, default=BASELINES, help="those of a task's track"
    )
    parser.add_argument("--base", metavar="REF", help="refuse a branch that changes anything else since REF")
    parser.add_argument("--head", metavar="REF", default="HEAD", help="last commit of the branch; default: HEAD")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--report", metavar="FILE", type=Path, help="where to write the page")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_ITEMS:
        raise ArgumentTypeError(f"{text!r} is no number of items")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
