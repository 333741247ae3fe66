"""What the first bytes of a sound file tell that libsndfile does not: how much is missing, and what it is instead.

libsndfile takes the length of a file that was cut off for the length of the sound, and a WAV whose length its writer
left as 0 for an empty one.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big", b"FORM": "big"}
"""Byte order of the numbers of WAV, its long and its big-endian form, and AIFF."""
TAIL = 2**21
"""Bytes at the end of a file among which the chunks behind its sound are looked for."""
PAGE, LONGEST_PAGE = b"OggS", 27 + 255 + 255 * 255
"""First bytes of an Ogg's page, and the bytes that one may have."""
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
    """Bytes of sound that the header of a WAV, AIFF, AU or CAF promises, and bytes that are there; 0, 0 of others."""
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


def mended(path: Path, streamed: int) -> io.BytesIO | None:
    """A WAV whose header tells no length of its sound, with the length written in; None of all others.

    It tells none where it says 0 bytes and some follow, and where it says at least `streamed` bytes and fewer follow.
    The sound goes to the end of the file, or to the whole chunks that end it; where chunks are all that follows, it is
    empty. Nothing is mended where libsndfile is right, which reads to the end what is told too long.
    """
    with path.open("rb") as file:
        order, found = ORDERS.get(file.read(4)), _sound(file)
        if not order or not found or (found.promised and not streamed <= found.promised > found.held):
            return None
        held = 0 if _is_chunks(file, found.start, order) else _chunks_at_end(file, found.start, order) - found.start
        if held == (found.held if found.promised else 0):
            return None
        file.seek(0)
        content = bytearray(file.read(found.start + held))
    content[4:8] = min(len(content) - 8, 2**32 - 1).to_bytes(4, order)
    content[found.start - 4 : found.start] = min(held, 2**32 - 1).to_bytes(4, order)
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


def is_cut_ogg(path: Path) -> bool:
    """Whether a file is an Ogg without its last page, which is marked as the last, or with a part of it."""
    with path.open("rb") as file:
        if file.read(4) != PAGE:
            return False
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - LONGEST_PAGE))
        tail = file.read()
    page = tail[tail.rfind(PAGE) :]
    # 27 bytes of a header, of which the sixth holds the mark, and the lengths of the page's segments.
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return not lengths or not page[5] & 4 or len(page) < 27 + len(lengths) + sum(lengths)


def _sound(file: BinaryIO) -> AudioChunk | None:
    """Where the samples of a WAV, an AIFF, an AU or a CAF lie; None in other files."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    magic, long = file.read(4), 0
    if magic == b".snd":
        start, promised = (int.from_bytes(file.read(4), "big") for _ in range(2))
        return AudioChunk(start, promised, size - start)
    if magic == b"caff":
        return _sound_of_caf(file, size)
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


def _sound_of_caf(file: BinaryIO, size: int) -> AudioChunk | None:
    """Where the samples of a CAF lie, behind the four bytes that count its edits; None where it has none."""
    file.seek(8)
    while len(header := file.read(12)) == 12:
        length, start = int.from_bytes(header[4:], "big"), file.tell()
        if header[:4] == b"data":
            return AudioChunk(start + 4, length - 4, size - start - 4)
        file.seek(start + min(length, size))
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


def _chunks_at_end(file: BinaryIO, start: int, order: Literal["little", "big"]) -> int:
    """Position, from `start` on, at which the whole chunks begin that end a file; the file's size where none do.

    No mark parts them from the sound before them: a chunk is a printable name and a length that leads to the file's
    end, or to the next chunk. Were bytes of sound drawn evenly, one position in 10^11 would pass for one.
    """
    size = file.seek(0, io.SEEK_END)
    first = max(start, size - TAIL)
    first += (first - start) % 2
    file.seek(first)
    tail = np.frombuffer(file.read(), np.uint8)
    if len(tail) < 8:
        return size
    # Chunks begin at every second byte: what stands at each of them is a name of two pairs and a length of two.
    pairs = tail[: len(tail) // 2 * 2].reshape(-1, 2)
    named = np.logical_and.reduce((pairs >= ord(" ")) & (pairs <= ord("~")), axis=1)
    numbers = pairs.astype(np.int64) @ ((1, 256) if order == "little" else (256, 1))
    low, high = (numbers[2:-1], numbers[3:]) if order == "little" else (numbers[3:], numbers[2:-1])
    lengths, names = low + 2**16 * high, named[:-3] & named[1:-2]
    ends = np.arange(first, first + 2 * len(lengths), 2) + 8 + lengths + lengths % 2
    end = size
    while len(found := np.flatnonzero(names & ((ends == end) | (ends == size + 1) & (end == size)))):
        end = first + 2 * int(found[0])
    return end
