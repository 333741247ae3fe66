"""`python -m earwitness.authoring TASK`: ceilings of metrics that joined the card of a certified task, or all anew.

All anew is for published tasks, too: `--ceilings --items N` searches those of their first items, and then `earwitness
audit` says which metrics can be trusted there, so that entrants are ranked and calibrated.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError

from earwitness.authoring import complete, renew
from earwitness.errors import EarwitnessError
from earwitness.registry import task


def main(arguments: list[str]) -> int:
    """Complete the ceilings of the one task that is named, or compute them all anew; the exit code."""
    parser = ArgumentParser(prog="python -m earwitness.authoring", description="Ceilings of a task's metrics.")
    parser.add_argument("task", metavar="TASK", help="id or folder of a task")
    parser.add_argument("--ceilings", action="store_true", help="all of them anew, nothing else of the truth")
    parser.add_argument("--items", type=_count, metavar="N", help="with --ceilings: of the first N items")
    given = parser.parse_args(arguments)
    if given.items is not None and not given.ceilings:
        parser.error("--items is for --ceilings alone")
    try:
        if given.ceilings:
            print(f"{renew(task(given.task), given.items)} rows are the ceilings of {given.task}")
        else:
            print(f"{complete(task(given.task))} rows added to the ceilings of {given.task}")
    except EarwitnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise ArgumentTypeError(f"{text!r} is no number of items, 2 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
