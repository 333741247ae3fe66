"""hear21passt, the package of PaSST's authors, with stand-ins for what it imports and a judge does not need.

It imports timm, to download weights with, and torchaudio, for Kaldi's mel filters and for masks in training. Where
torchaudio is installed, its own filters are taken.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from earwitness.errors import EarwitnessError
from earwitness.stand_ins import imported, stand_in

if TYPE_CHECKING:
    from types import ModuleType

PACKAGE, COMMAND = "hear21passt", "pip install --no-deps hear21passt==0.0.26"


class PaSSTPackage(NamedTuple):
    """What a judge takes from hear21passt."""

    passt: Any
    """`models.passt`: the network, and the published checkpoints."""
    preprocess: Any
    """`models.preprocess`: log-mel spectra."""
    wrapper: Any
    """Both as one module, and how it hears long clips."""


@lru_cache(maxsize=1)
def package() -> PaSSTPackage:
    """hear21passt; raises EarwitnessError, with the command, where it is absent, half installed or another version."""
    found = PaSSTPackage(
        *(imported(f"hear21passt.{part}", PACKAGE, COMMAND, _stand_ins()) for part in ("models.passt", *_OTHERS))
    )
    for module, name in zip(found, ("PaSST", "AugmentMelSTFT", "PasstBasicWrapper"), strict=True):
        if not hasattr(module, name):
            raise EarwitnessError(f"{PACKAGE} cannot be used ({module.__name__} has no {name}): {COMMAND}")
    # It would print the shapes of its first pass.
    found.passt.first_RUN = False
    return found


_OTHERS = ("models.preprocess", "wrapper")


def mel_filters(
    bins: int,
    n_fft: int,
    sample_rate: float,
    low: float,
    high: float,
    vtln_low: float = 100.0,
    vtln_high: float = -500.0,
    vtln_warp_factor: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Triangles [bins, n_fft / 2] on Kaldi's mel scale from `low` to `high` Hz, and their centres [bins] in mel.

    Stands in for torchaudio.compliance.kaldi.get_mel_banks without warping (feat/mel-computations of Kaldi): of mel(f)
    = 1127 ln(1 + f / 700), bin b rises from 0 to 1 and falls to 0 again over two steps that begin at its left edge. A
    `high` of 0 or less counts from the Nyquist frequency. Raises NotImplementedError where warping is asked for.
    """
    if vtln_warp_factor != 1.0:
        raise NotImplementedError("mel filters are not warped here; install torchaudio")
    top = high if high > 0 else high + sample_rate / 2
    edges = np.linspace(_mel(low), _mel(top), bins + 2)
    step = edges[1] - edges[0]
    mel = _mel(sample_rate / n_fft * np.arange(n_fft // 2))
    rising, falling = (mel - edges[:-2, None]) / step, (edges[2:, None] - mel) / step
    filters = np.maximum(np.minimum(rising, falling), 0.0)
    return torch.from_numpy(filters.astype(np.float32)), torch.from_numpy(edges[1:-1].astype(np.float32))


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


class TrainingMask(nn.Module):
    """Stands in for torchaudio's masks of bands and stretches, which a spectrum has in training alone."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, mel: Tensor) -> Tensor:
        """Raise NotImplementedError: a mask that masks nothing would be another training."""
        raise NotImplementedError("spectra are not masked here; install torchaudio, or build with freqm=0 and timem=0")


def _stand_ins() -> list[ModuleType]:
    return [
        stand_in("timm"),
        stand_in("timm.models"),
        stand_in("timm.models._hub", download_cached_file=None),
        stand_in("torchaudio"),
        stand_in("torchaudio.transforms", FrequencyMasking=TrainingMask, TimeMasking=TrainingMask),
        stand_in("torchaudio.compliance"),
        stand_in("torchaudio.compliance.kaldi", get_mel_banks=mel_filters),
    ]
