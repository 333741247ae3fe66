"""A `cuda:0` where there is none: torch's fake tensors, which have shapes, dtypes and devices and no values.

An operation on tensors of two devices raises, as it would on a card; a value that is asked for (`.item()`, `.numpy()`)
raises, too. Of torch without CUDA one thing is missing for it, what switches devices, so a compiler puts one there that
does nothing.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

CARD = torch.device("cuda:0")
SWITCH = """
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace c10::impl {
C10_REGISTER_GUARD_IMPL(CUDA, NoOpDeviceGuardImpl<DeviceType::CUDA>)
}
"""


@cache
def switch_devices(folder: Path) -> str:
    """Have torch switch to `cuda:0` by doing nothing; why it cannot, if it cannot."""
    if torch.backends.cuda.is_built():
        return ""
    compiler = shutil.which("g++")
    if compiler is None:
        return "no g++ here, which torch without CUDA needs to pretend a card"
    source, library = folder / "switch.cpp", folder / "libswitch.so"
    source.write_text(SWITCH, encoding="utf-8")
    torch_folder = Path(torch.__file__).parent
    command = [compiler, "-std=c++20", "-shared", "-fPIC", f"-I{torch_folder / 'include'}", str(source)]
    made = subprocess.run(
        [*command, "-o", str(library), f"-L{torch_folder / 'lib'}", "-lc10"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        return f"g++ cannot compile against this torch: {made.stderr.strip().splitlines()[0]}"
    ctypes.CDLL(str(library))
    return ""


def mode() -> FakeTensorMode:
    """What is made inside has no values; tensors with values that are used inside count by their own device."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def put(module: nn.Module, pretending: FakeTensorMode) -> None:
    """Put a module's parameters and buffers on the card, each once, as `Module.to` would.

    Buffers of one whole number, which sizes are reckoned from, keep their values: a card would be asked for them.
    """
    moved: dict[int, Any] = {}
    for each in module.modules():
        for held in (each._parameters, each._buffers):
            for name, tensor in held.items():
                if tensor is None or tensor.device == CARD:
                    continue
                if not tensor.ndim and not tensor.is_floating_point():
                    with unset_fake_temporarily():
                        number = tensor.item()
                    held[name] = torch.tensor(number)
                    continue
                if id(tensor) not in moved:
                    there = pretending.from_tensor(tensor.detach()).to(CARD)
                    is_weight = isinstance(tensor, nn.Parameter)
                    moved[id(tensor)] = nn.Parameter(there, tensor.requires_grad) if is_weight else there
                held[name] = moved[id(tensor)]
