"""Text files of datasets."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from pathlib import Path

WIDE = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of UTF-16, and of UTF-32 of the first kind."""


def read_text(path: Path, advice: str) -> str:
    """Text of a UTF-8 file; `advice` says what to do where it is missing.

    Raises EarwitnessError, naming the file and the line, where there is none that can be read.
    """
    if not os.path.isfile(path):
        raise EarwitnessError(f"{path}: {in_place_of(path)}; {advice}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EarwitnessError(f"{path}: {error.strerror or type(error).__name__}; {advice}") from error
    if data[:2] in WIDE or 4 * data[:4096].count(0) > len(data[:4096]):
        raise EarwitnessError(f"{path}: UTF-16 or UTF-32, not UTF-8; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EarwitnessError(
            f"{path}, line {line}: not UTF-8 (byte {error.object[error.start]:#04x}); save it as UTF-8"
        ) from error


def in_place_of(path: Path) -> str:
    """What is there in place of a file, in a few words."""
    if os.path.isdir(path):
        return "a folder, not a file"
    if os.path.exists(path):
        return "a pipe, a socket or a device, not a file"
    return "a link to a file that is not there" if os.path.islink(path) else "no such file"


def read_lines(path: Path, advice: str) -> list[str]:
    """Lines of a UTF-8 file, without their ends; raises EarwitnessError as `read_text`.

    A line ends at a line feed, a carriage return or both: running text may hold the other separators that
    `str.splitlines` knows.
    """
    lines = re.split(r"\r\n|\r|\n", read_text(path, advice))
    return lines if lines[-1] else lines[:-1]
