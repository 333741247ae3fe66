"""What the first bytes of a sound file tell that libsndfile does not: how much is missing, and what it is instead.

libsndfile takes the length of a file that was cut off for the length of the sound, and a WAV whose length its writer
left as 0 for an empty one.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big", b"FORM": "big"}
"""Byte order of the numbers of WAV, its long and its big-endian form, and AIFF."""
STARTS = (
    (b"version https://git-lfs", "a git-lfs pointer, not the sound; run git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer, not the sound; run git annex get"),
    (b"<!doctype html", "an HTML page, not audio; fetch it again, logged in where that is asked for"),
    (b"<html", "an HTML page, not audio; fetch it again, logged in where that is asked for"),
    (b"<?xml", "an XML document, not audio, perhaps a server's error; read it, and fetch the file again"),
    (b"<error", "an XML document, not audio, perhaps a server's error; read it, and fetch the file again"),
    (b"{", "a JSON document, not audio, perhaps a server's error; read it, and fetch the file again"),
    (b"pk\x03\x04", "a zip archive; unpack it"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"\x1aE\xdf\xa3".lower(), "WebM or Matroska, which is not read; convert it: ffmpeg -i FILE converted.wav"),
    (b"\x30\x26\xb2\x75", "Windows Media, which is not read; convert it: ffmpeg -i FILE converted.wav"),
)
"""First bytes of what is found in place of sound, in lower case, and what to do."""


class AudioChunk(NamedTuple):
    """The chunk of a file's samples."""

    start: int
    """Position of its first byte."""
    promised: int
    """Bytes that its header tells."""
    held: int
    """Bytes from its first to the file's last."""


def bytes_of_sound(path: Path) -> tuple[int, int]:
    """Bytes of sound that the header of a WAV, an AIFF or an AU promises, and bytes that are there; 0, 0 of others."""
    with path.open("rb") as file:
        found = _sound(file)
    return (found.promised, found.held) if found else (0, 0)


def bytes_behind(path: Path) -> int:
    """Bytes behind the sound of a WAV or an AIFF that are no chunks; 0 of others and where chunks end the file."""
    with path.open("rb") as file:
        order, found = ORDERS.get(file.read(4)), _sound(file)
        if not order or not found or not 0 < found.promised < found.held:
            return 0
        end = found.start + found.promised + found.promised % 2
        return 0 if _is_chunks(file, end, order) else found.held - found.promised


def mended(path: Path) -> io.BytesIO | None:
    """A WAV whose header tells 0 bytes of sound where some follow, with their number written in; None of all others.

    Chunks that end where the file does are no sound: such a WAV is empty.
    """
    with path.open("rb") as file:
        order, found = ORDERS.get(file.read(4)), _sound(file)
        if not order or not found or found.promised or not found.held or _is_chunks(file, found.start, order):
            return None
        file.seek(0)
        content = bytearray(file.read())
    content[4:8] = min(len(content) - 8, 2**32 - 1).to_bytes(4, order)
    content[found.start - 4 : found.start] = min(found.held, 2**32 - 1).to_bytes(4, order)
    return io.BytesIO(content)


def no_sound(path: Path) -> str:
    """What a file is that is no sound, and what to do, in one line; empty where that is not known."""
    try:
        with path.open("rb") as file:
            start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    except (OSError, ValueError):
        return ""
    if start[4:8] == b"ftyp":
        return "MP4 or M4A, which is not read; convert it: ffmpeg -i FILE converted.wav"
    return next((told for first, told in STARTS if start.startswith(first)), "")


def _sound(file: BinaryIO) -> AudioChunk | None:
    """Where the samples of a WAV, an AIFF or an AU lie; None in other files."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    magic, long = file.read(4), 0
    if magic == b".snd":
        start, promised = (int.from_bytes(file.read(4), "big") for _ in range(2))
        return AudioChunk(start, promised, size - start)
    order = ORDERS.get(magic)
    file.seek(12)
    while order and len(header := file.read(8)) == 8:
        length, start = int.from_bytes(header[4:], order), file.tell()
        if header[:4] in (b"data", b"SSND"):
            return AudioChunk(start, long or length, size - start)
        if header[:4] == b"ds64":
            long = int.from_bytes(file.read(16)[8:], order)
        file.seek(start + length + length % 2)
    return None


def _is_chunks(file: BinaryIO, start: int, order: Literal["little", "big"]) -> bool:
    """Whether whole chunks stand from a position to the end of a file."""
    size = file.seek(0, io.SEEK_END)
    while start < size:
        file.seek(start)
        header = file.read(8)
        if len(header) < 8 or not (header[:4].isascii() and header[:4].decode().isprintable()):
            return False
        length = int.from_bytes(header[4:], order)
        start += 8 + length + length % 2
    return start <= size + 1
