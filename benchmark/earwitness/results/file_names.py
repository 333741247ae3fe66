"""Names of files that are made of ids: what any file system takes, one name an id."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

LONGEST = 100
"""Characters of an id in a name: a file system takes 255, and an id, a part, a label and an ending share them."""
OF_SEED = "-seed"
"""In the name of a run's part, before the explainer seed where it is not the run's first."""
DIGITS = 32
"""Hex digits that tell longer ids apart."""


def file_name(item: str) -> str:
    """An item's id as a file's name: quoted, and a long one as its beginning with a hash of the whole.

    >>> file_name("a/b c")
    'a%2Fb c'
    >>> file_name("x" * 300)
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%-0d4e2ca9e9cbced7a7a5380eb29e1a37'
    """
    name = quote(item, safe=" ,()[]{}=+@", errors="surrogatepass")
    if len(name) <= LONGEST:
        return name
    # No quoted id holds this mark, so that a shortened name is never another id's own.
    mark = f"%-{hashlib.sha256(item.encode(errors='surrogatepass')).hexdigest()[:DIGITS]}"
    return name[: LONGEST - len(mark)] + mark
