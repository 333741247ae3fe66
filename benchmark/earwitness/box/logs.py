"""What a box prints: into a file that it cannot reach, and no more than so many bytes of it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 16


class CappedLog:
    """A pipe to print into; a thread appends what comes to a file, until that holds a number of bytes."""

    def __init__(self, path: Path, most: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._most = path, most
        self._read, self.descriptor = os.pipe()
        """To print into; given up by `started`."""
        self._thread: threading.Thread | None = None

    def started(self) -> None:
        """Give up this side's end of the pipe, which who prints has by now, and begin to read."""
        os.close(self.descriptor)
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def close(self, patience: float = 2.0) -> None:
        """Wait until all is read; who still prints then is not waited for."""
        if self._thread is not None:
            self._thread.join(patience)

    def _drain(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            left = max(0, self._most - file.tell())
            while chunk := os.read(self._read, _CHUNK):
                file.write(chunk[:left])
                if left and len(chunk) >= left:
                    file.write(f"\n[the rest is left out: more than {self._most} bytes]\n".encode())
                left = max(0, left - len(chunk))
        os.close(self._read)
