"""Which device `auto` means; asked where torch is loaded, never in the process that drives."""

from __future__ import annotations

import subprocess
import sys

from earwitness.errors import EarwitnessError

DEVICES = ("auto", "cpu", "cuda")
NO_CUDA = "device cuda: torch sees no CUDA device here; use --device cpu, or install a CUDA build"


def require(device: str) -> None:
    """Raise EarwitnessError where there is no such device here; torch is asked in a process of its own."""
    if device not in DEVICES:
        raise EarwitnessError(f"no device is called {device!r}; devices: {', '.join(DEVICES)}")
    if device == "cuda":
        asked = "import torch, sys; sys.exit(not torch.cuda.is_available())"
        if subprocess.run([sys.executable, "-W", "ignore", "-c", asked], capture_output=True, check=False).returncode:
            raise EarwitnessError(NO_CUDA)


def resolve(device: str) -> str:
    """The device that this name means here; raises EarwitnessError where there is none."""
    if device == "cpu":
        return device
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise EarwitnessError(NO_CUDA)
    return "cuda" if available else "cpu"
