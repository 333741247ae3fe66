"""Which device `auto` means; asked where torch is loaded, never in the process that drives."""

from __future__ import annotations

from earwitness.errors import EarwitnessError

DEVICES = ("auto", "cpu", "cuda")


def resolve(device: str) -> str:
    """The device that this name means here; raises EarwitnessError where there is none."""
    if device == "cpu":
        return device
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise EarwitnessError("device cuda: torch sees no CUDA device here; use --device cpu, or install a CUDA build")
    return "cuda" if available else "cpu"
