"""Where a training keeps what it has so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workshop:
    """Where a training keeps its rendered clips and its checkpoints."""

    folder: Path
    seed: int
    masked: bool = True
    """Whether a model hears inputs with parts removed, as explainers will remove them; a twin alone may do without."""
    around: str = ""
    """Of a twin, what it is trained around, its world say: with other surroundings its checkpoints are no use."""

    @property
    def clips(self) -> Path:
        """Rendered clips, the same for every seed."""
        return self.folder / "clips"

    def checkpoint(self, part: str) -> Path:
        """Checkpoint of one part."""
        kept = "-".join(filter(None, (f"seed{self.seed}", self.around, "" if self.masked else "unmasked")))
        return self.folder / kept / f"{part}.pt"
