"""What no page or comment may hold, whatever a pull request says."""

from __future__ import annotations

import re

CODE = re.compile(r"`[^`\n]*`")
"""Names in the letters of code, in which nothing is a call or a link."""
HARM = re.compile(r"(?<!\\)<|@\w|(?<!\\)\]\(|#\d|https?://|www\.|^::|^/\w|^#{1,2} ", re.MULTILINE)


def refuse_harm(page: str) -> None:
    """Fail where a page calls somebody, links, quotes markup or commands."""
    found = HARM.search(CODE.sub("", page))
    assert found is None, f"{found} in {page}"
