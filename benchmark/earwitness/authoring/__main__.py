"""`python -m earwitness.authoring TASK`: ceilings of metrics that joined the card of a certified task."""

from __future__ import annotations

import sys

from earwitness.authoring import complete
from earwitness.errors import EarwitnessError
from earwitness.registry import task


def main(arguments: list[str]) -> int:
    """Complete the truth of the one task that is named; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m earwitness.authoring TASK", file=sys.stderr)
        return EarwitnessError.exit_code
    try:
        print(f"{complete(task(arguments[0]))} rows added to the ceilings of {arguments[0]}")
    except EarwitnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
