"""Processes that end when the one that started them does, so that a killed run leaves none behind."""

from __future__ import annotations

import os
import threading
import time


def end_with_parent(interval: float = 1.0) -> None:
    """End this process soon after its parent is gone, whatever it is doing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
