"""Training of the micro-models, from nothing to the folders that a task ships."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import EarwitnessError

RECIPES = ("micro_prompt",)


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


def train(task: str, out: Path, seed: int = 0, work: Path | None = None) -> dict[str, Any]:
    """Train everything that a micro task ships, write it into `out` and return seconds and floors.

    Resumes from the checkpoints in `work` (default `.earwitness/training/<task>`). Raises EarwitnessError where the
    task has no recipe.
    """
    if task not in RECIPES:
        raise EarwitnessError(f"{task} has no training recipe; trainable tasks: {', '.join(RECIPES)}")
    from earwitness.models.training.soundscape import train_soundscape

    figures = train_soundscape(out, Workshop(work or Path(".earwitness/training") / task, seed))
    (out / "training.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures
