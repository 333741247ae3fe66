"""Processes that end when the one that started them does, so that a killed run leaves none behind."""

from __future__ import annotations

import os
import threading
import time


def end_with(parent: int, interval: float = 1.0) -> None:
    """End this process soon after its parent of that id is gone, whatever it is doing.

    The id comes from the parent: it may be gone before its child asks.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
