"""`python -m earwitness.publishing RUN... --to USER/REPO`: rows, recipes and a card, as a dataset on the hub."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.publishing.pushing import Push, push, target
from earwitness.pull_requests.ending import ended

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Push runs and say where they are now; the exit code."""
    given = _parser().parse_args(words)

    def work() -> int:
        asked = Push(
            tuple(given.runs), target(given.to), given.licence, given.public, given.explanations, given.reveal_seeds
        )
        done = push(asked)
        print(f"{done.runs} run{'' if done.runs == 1 else 's'} at {done.address}")
        return 0

    return ended(None, "", work)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m earwitness.publishing", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="folders of runs, or of one run")
    parser.add_argument(
        "--to", metavar="USER/REPO", required=True, help="the dataset; it is made where it is not there"
    )
    parser.add_argument("--licence", default="cc-by-4.0", help="of the rows, as the hub calls it")
    parser.add_argument("--public", action="store_true", help="a dataset that is made by it can be read by all")
    parser.add_argument("--explanations", action="store_true", help="push the explanations, too")
    parser.add_argument(
        "--reveal-seeds", action="store_true", help="push runs of fresh items, whose rows tell the seed"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
