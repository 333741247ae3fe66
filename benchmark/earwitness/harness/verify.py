"""Verification: a run's explanations and rows are made again from its recipe and compared with what it recorded."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError
from earwitness.harness import recipe
from earwitness.harness.run import execute
from earwitness.results import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.session import Progress

ROUNDING = 1e-4
"""Largest difference, as a share, that another processor's order of sums is taken to explain."""


@dataclass(frozen=True)
class RowDifference:
    """A row that is not the same the second time."""

    key: dict[str, Any]
    recorded: str
    recomputed: str
    apart: float = 0.0
    """How far the values lie apart, where both are numbers and nothing else differs; infinite where something does."""


@dataclass(frozen=True)
class Verification:
    """Whether a run's rows are what its recipe makes."""

    run: str
    rows: int
    recorded: str
    """Fingerprint of the rows on disk."""
    recomputed: str
    claimed: str
    """Fingerprint that the recipe names."""
    differences: tuple[RowDifference, ...]
    """Rows that differ, by however little."""
    versions: tuple[str, ...]
    """Packages whose version is not the recorded one, and code that is not."""

    @property
    def verified(self) -> bool:
        """Whether the rows on disk are those that the recipe names, and made again they are equal within rounding."""
        return self.recorded == self.claimed and len(self.rounding) == len(self.differences)

    @property
    def rounding(self) -> tuple[RowDifference, ...]:
        """Rows that differ by no more than sums in another order do."""
        return tuple(row for row in self.differences if row.apart <= ROUNDING)

    @property
    def farthest(self) -> float:
        """The largest difference that is taken for rounding."""
        return max((row.apart for row in self.rounding), default=0.0)


def verify(
    folder: Path, engine: Engine, progress: Progress | None = None, isolation: str | None = None
) -> Verification:
    """Recompute a run in a temporary folder, in a fresh box of the given level or of its own, and compare.

    Raises EarwitnessError where the run is not done or cannot be made again, NotComparableError where its task or
    submission has changed.
    """
    run, stored = recipe.reopen(folder), recipe.read(folder)
    if stored["state"] != "done":
        raise EarwitnessError(f"{folder} is not done ({stored['state']}); run the same command to finish it")
    recorded = rows.read_run(folder)
    with tempfile.TemporaryDirectory(prefix="earwitness-verify-") as temporary:
        level = run.arguments.isolation if isolation is None else isolation
        arguments = replace(run.arguments, isolation=level).taken_by(run.submission)
        again = replace(run, out=Path(temporary), arguments=arguments)
        (outcome,) = execute([again], engine, progress)
        if not outcome.done:
            raise EarwitnessError(f"{folder} cannot be made again: {'; '.join(outcome.errors) or 'rows are missing'}")
        recomputed = rows.read_run(again.folder)
    changed = versions_changed(stored, run)
    # Other code has other hashes, and may give the same values: those are what is verified.
    keys = [name for name in rows.KEY if not changed or name not in rows.HASHES]
    found = differences(recorded, recomputed, keys)
    return Verification(
        run=stored["run"],
        rows=len(recorded),
        recorded=rows.fingerprint(recorded),
        recomputed=rows.fingerprint(recomputed),
        claimed=(stored.get("rows") or {}).get("fingerprint", "none"),
        differences=tuple(found),
        versions=tuple(changed),
    )


def versions_changed(stored: dict[str, Any], run: Run) -> list[str]:
    """Packages whose version is not the one that a recipe names, and code that is not."""
    before, now = stored.get("versions", {}), recipe.versions()
    names = sorted(before.keys() | now.keys())
    changed = [f"{name} {before.get(name)} -> {now.get(name)}" for name in names if before.get(name) != now.get(name)]
    if recipe.explained(stored) != run.explained:
        changed.append("the code of the task's track, model or dataset")
    if stored.get("measured") != run.measured:
        changed.append("the code or the parameters of metrics")
    return changed


def differences(recorded: pa.Table, recomputed: pa.Table, keys: Sequence[str] = rows.KEY) -> list[RowDifference]:
    """Rows that only one table has, or that differ in anything but cost, by the columns that tell rows apart."""
    before, after = _by_key(recorded, keys), _by_key(recomputed, keys)
    return [
        RowDifference(
            dict(zip(keys, key, strict=True)),
            _shown(before.get(key)),
            _shown(after.get(key)),
            _apart(before.get(key), after.get(key)),
        )
        for key in sorted(before.keys() | after.keys())
        if _shown(before.get(key)) != _shown(after.get(key))
    ]


def _by_key(table: pa.Table, keys: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(record[name] for name in keys): record for record in table.to_pylist()}


def _shown(record: dict[str, Any] | None) -> str:
    """What of a row must repeat, beside its key."""
    if record is None:
        return "no row"
    value = "none" if record["value"] is None else repr(record["value"])
    return " ".join([value, *_beside(record)])


def _beside(record: dict[str, Any]) -> list[str]:
    return [str(record[name]) for name in ("status", "reason", "cluster", "task_version") if record[name] != ""]


def _apart(before: dict[str, Any] | None, after: dict[str, Any] | None) -> float:
    """How far two rows' values lie apart, as a share of the larger, or of 1; infinite where more differs than that."""
    if before is None or after is None or _beside(before) != _beside(after):
        return math.inf
    one, other = before["value"], after["value"]
    if one is None or other is None or not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    return float(abs(one - other) / max(1.0, abs(one), abs(other)))
