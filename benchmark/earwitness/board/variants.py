"""A variant of a task with what was measured of it, and the names it goes by on the board."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from earwitness import registry
from earwitness.board.facts import MetricFacts, SubmissionFacts, TaskFacts, by_submission, submission_facts
from earwitness.errors import EarwitnessError
from earwitness.results.coding import once
from earwitness.results.cube import FLOOR, Cube, cube
from earwitness.results.held_out import mark_of, public_of
from earwitness.results.rows import INLINE, MADE_ELSEWHERE
from earwitness.results.task_hashes import parted
from earwitness.results.versions import Preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

Record = dict[str, Any]


@dataclass(frozen=True, order=True)
class Variant:
    """Rows that may meet in one rank: of one task and one identity (shifted seeds, fresh and held-out items have their
    own); those that were made in the caller's process stand apart.
    """

    task: str
    task_hash: str
    inline: bool = False

    @property
    def seed(self) -> int:
        """What all seeds were shifted by."""
        return parted(self.task_hash).seed

    @property
    def of_the_card(self) -> bool:
        """Whether items and seeds are the card's."""
        return self.task_hash == public_of(self.task_hash)


@dataclass(frozen=True)
class MeasuredVariant:
    """A variant of a task with what was measured of it."""

    key: str
    variant: Variant
    task: TaskFacts
    facts: list[MetricFacts]
    rows: pa.Table
    """Each key once."""
    cube: Cube
    """Of the items that count."""
    labels: list[str]
    """Name of each entrant on the board."""
    submissions: list[SubmissionFacts]

    @cached_property
    def made_elsewhere(self) -> frozenset[tuple[str, str]]:
        """Entrants whose explanations were handed in without code: nobody here saw what they cost."""
        rows = self.rows.filter(pc.equal(self.rows["isolation"], MADE_ELSEWHERE))
        found = rows.group_by(["submission", "submission_hash"]).aggregate([]).to_pylist()
        return frozenset((row["submission"], row["submission_hash"]) for row in found)

    @property
    def controls(self) -> list[int]:
        """Entrants that ignore what an explainer should read."""
        return [number for number, facts in enumerate(self.submissions) if facts.card and facts.card.kind == "control"]


def variants(rows: pa.Table) -> list[Variant]:
    """The variants that rows belong to."""
    keys = rows.group_by(["task", "task_hash", "isolation"]).aggregate([]).to_pylist()
    return sorted({variant_of(key) for key in keys})


def variant_of(row: Mapping[str, Any]) -> Variant:
    """The variant that a row belongs to."""
    return Variant(row["task"], row["task_hash"], row["isolation"] == INLINE)


def keys(found: Sequence[Variant], tasks: dict[str, TaskFacts]) -> list[str]:
    """A name for each variant, for people and for the page's address.

    The plain id is the variant of the registered task, or of the only task of that id; others tell what differs.
    """
    hashes: dict[str, set[str]] = defaultdict(set)
    for variant in found:
        hashes[variant.task].add(public_of(variant.task_hash))
    names = []
    for variant in found:
        base, mark = public_of(variant.task_hash), mark_of(variant.task_hash)
        _, shift, fresh = parted(variant.task_hash)
        other = len(hashes[variant.task]) > 1 and not tasks[variant.task_hash].registered
        parts = [variant.task, base[:6] if other else "", "" if fresh is None else f"fresh{fresh}"]
        parts.append(f"held{mark[:6]}" if mark else "")
        seed, inline = f"seed{shift}" if shift else "", "inline" if variant.inline else ""
        names.append("~".join(filter(None, [*parts, seed, inline])))
    return names


def measured_variant(
    key: str, variant: Variant, task: TaskFacts, rows: pa.Table, recipes: list[Record]
) -> MeasuredVariant:
    """What was measured of a variant, with what cards say of it and of its entrants."""
    chosen = _of_variant(rows, variant)
    facts = task.metrics(chosen["metric"].to_pylist())
    floor = _registered_floor(task.card.track if task.card else "")
    measured = cube(chosen, [metric.id for metric in facts], Preferred(floor=floor)).on_roster()
    of = by_submission(recipes)
    submissions = [submission_facts(id, hash, of.get(hash, ())) for id, hash in measured.entrants]
    ids = [id for id, _ in measured.entrants]
    labels = [id if ids.count(id) == 1 else f"{id}~{hash[:6]}" for id, hash in measured.entrants]
    return MeasuredVariant(key, variant, task, facts, once(chosen), measured, labels, submissions)


def _of_variant(rows: pa.Table, variant: Variant) -> pa.Table:
    mine = pc.and_(pc.equal(rows["task"], variant.task), pc.equal(rows["task_hash"], variant.task_hash))
    inline = pc.equal(rows["isolation"], INLINE)
    return rows.filter(pc.and_(mine, inline if variant.inline else pc.invert(inline)))


def _registered_floor(track: str) -> str | None:
    try:
        return registry.submission(FLOOR).hash_for(track)
    except EarwitnessError:
        return None
