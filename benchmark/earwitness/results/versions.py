"""Which version counts where rows are of several: rows of one metric under several hashes never meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from earwitness.results.coding import codes, places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Preferred:
    """The versions that count if there are rows of them; else those with most rows do."""

    floor: str | None = None
    """Hash of the floor's submission."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Hash of a metric by its id."""


@dataclass(frozen=True)
class Versions:
    """The hash of each metric that counts."""

    hashes: Mapping[str, str]
    notes: tuple[str, ...]
    """What was left out, one line each."""

    def count(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Which rows are of one of the metrics and of the hash of it that counts."""
        metrics = list(self.hashes)
        metric = places(rows["metric"], metrics)
        names, name = codes(rows["metric_hash"])
        chosen = np.array([names.index(hash) if hash in names else -1 for hash in self.hashes.values()], dtype=np.int64)
        return np.asarray((metric >= 0) & (np.append(chosen, -1)[metric] == name))


def chosen_versions(rows: pa.Table, metrics: Sequence[str], preferred: Mapping[str, str]) -> Versions:
    """The hash of each metric that rows have: the preferred one if there is a row of it, else the most frequent."""
    metric = places(rows["metric"], metrics)
    names, name = codes(rows["metric_hash"])
    counts = np.zeros((len(metrics), len(names)), dtype=np.int64)
    np.add.at(counts, (metric[metric >= 0], name[metric >= 0]), 1)
    hashes, notes = {}, []
    for number in np.flatnonzero(counts.any(axis=1)).tolist():
        asked = preferred.get(metrics[number])
        at = names.index(asked) if asked in names else -1
        chosen = at if at >= 0 and counts[number, at] else int(counts[number].argmax())
        hashes[metrics[number]] = names[chosen]
        left = int(counts[number].sum() - counts[number, chosen])
        if left:
            notes.append(
                f"{metrics[number]}: {left} rows measured by another version are left out; `earwitness score RUN` "
                "measures again."
            )
    return Versions(hashes, tuple(notes))
