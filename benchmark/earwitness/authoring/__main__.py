"""`python -m earwitness.authoring TASK`: ceilings of metrics that joined the card of a certified task, or all anew."""

from __future__ import annotations

import sys

from earwitness.authoring import complete, renew
from earwitness.errors import EarwitnessError
from earwitness.registry import task

ANEW = "--ceilings"
"""Compute all ceilings anew, nothing else of the truth."""


def main(arguments: list[str]) -> int:
    """Complete the ceilings of the one task that is named, or compute them all anew; the exit code."""
    anew, names = ANEW in arguments, [each for each in arguments if each != ANEW]
    if len(names) != 1 or names[0].startswith("-"):
        print(f"usage: python -m earwitness.authoring TASK [{ANEW}]", file=sys.stderr)
        return EarwitnessError.exit_code
    try:
        if anew:
            print(f"{renew(task(names[0]))} rows are the ceilings of {names[0]}")
        else:
            print(f"{complete(task(names[0]))} rows added to the ceilings of {names[0]}")
    except EarwitnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
