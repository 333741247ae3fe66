"""Which device `auto` means, and which dtypes it has; asked where torch is loaded, never in the process that drives."""

from __future__ import annotations

import subprocess
import sys

from earwitness.errors import EarwitnessError

DEVICES = ("auto", "cpu", "cuda")
NO_CUDA = "device cuda: torch sees no CUDA device here; use --device cpu, or install a CUDA build"
BFLOAT16 = "bfloat16"
NO_BFLOAT16 = "this CUDA device has no bfloat16; leave --dtype out, or use --device cpu"
_ASKED = """
import sys, torch
if not torch.cuda.is_available(): sys.exit(1)
sys.exit(0 if torch.cuda.is_bf16_supported(including_emulation=False) else 3)
"""
"""Ends with 1 where there is no CUDA device, and with 3 where it has no bfloat16."""


def require(device: str, dtype: str = "") -> None:
    """Raise EarwitnessError where there is no such device here, or it lacks a dtype; torch is asked in a process of its
    own.
    """
    require_known(device)
    if device == "cuda":
        command = [sys.executable, "-W", "ignore", "-c", _ASKED]
        said = subprocess.run(command, capture_output=True, check=False).returncode
        if said not in (0, 3):
            raise EarwitnessError(NO_CUDA)
        if said == 3 and dtype == BFLOAT16:
            raise EarwitnessError(NO_BFLOAT16)


def require_known(device: str) -> None:
    """Raise EarwitnessError where no device of that name can be asked for."""
    if device not in DEVICES:
        raise EarwitnessError(f"no device is called {device!r}; devices: {', '.join(DEVICES)}")


def resolve(device: str, dtype: str = "") -> str:
    """The device that this name means here; raises EarwitnessError where there is none, or it lacks a dtype."""
    if device == "cpu":
        return device
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise EarwitnessError(NO_CUDA)
    if available and dtype == BFLOAT16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise EarwitnessError(NO_BFLOAT16)
    return "cuda" if available else "cpu"
