"""Where a training keeps what it has so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workshop:
    """Where a training keeps its rendered clips and its checkpoints."""

    folder: Path
    seed: int

    @property
    def clips(self) -> Path:
        """Rendered clips, the same for every seed."""
        return self.folder / "clips"

    def checkpoint(self, part: str) -> Path:
        """Checkpoint of one part."""
        return self.folder / f"seed{self.seed}" / f"{part}.pt"
