"""What a box says of itself, for rows and terminals."""

from __future__ import annotations

from earwitness.errors import short, steers


def unsteered(text: str) -> str:
    """What somebody's code says, as one short line that no terminal obeys.

    >>> unsteered("\x1b[2Jgone"), unsteered("no way")
    ('\\\\x1b[2Jgone', 'no way')
    """
    return short("".join(f"\\x{ord(each):02x}" if steers(each) and not each.isspace() else each for each in text))
