"""Weights on disk: half precision in the file, single precision once read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file


def save_half(model: Any, folder: str | Path) -> None:
    """`save_pretrained` of a transformers model with its floating point weights halved.

    The config keeps float32, so that a plain `from_pretrained` computes in single precision.
    """
    folder = Path(folder)
    model.save_pretrained(folder)
    halve(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float32"}, indent=2, sort_keys=True) + "\n")


def halve(path: Path) -> None:
    """Halve the floating point weights of a safetensors file, in place."""
    weights = {name: _half(tensor) for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
