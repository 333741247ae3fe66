"""Budget curves: which runs are budgets of another submission's, and how far its maps have settled at each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from earwitness.results.documents import read_document
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from pathlib import Path

CONVERGENCE = "convergence.json"
"""File in the folder of the run at a submission's own budget."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecordedBudget(_Part):
    """In a recipe: of which submission the run's is a budget."""

    of: str
    """Its id."""
    of_hash: str
    value: int


class Settled(_Part):
    """How alike explanations at a budget are to those at the largest one."""

    value: int
    """The budget."""
    submission_hash: str
    convergence: float | None
    """Spearman's correlation of an item's two maps, mean over items; None where no item has both."""
    items: int


class Convergence(_Part):
    """How a submission's explanations of a task settle as its budget grows."""

    task_hash: str
    """Of what is explained."""
    submission: str
    submission_hash: str
    parameter: str
    largest: int
    budgets: list[Settled]


def budget_of(recipe: dict[str, Any]) -> RecordedBudget | None:
    """Of which submission a recipe's run is a budget; None where it is a submission by itself."""
    submission = recipe.get("submission")
    recorded = submission.get("budget") if isinstance(submission, dict) else None
    if recorded is None:
        return None
    try:
        return RecordedBudget.model_validate(recorded)
    except ValidationError:
        return None


def read_convergence(folder: Path) -> Convergence | None:
    """How a run's submission settles, None where it is not known; raises EarwitnessError where it cannot be read."""
    path = folder / CONVERGENCE
    if not path.is_file():
        return None
    advice = "make it again with `earwitness run --budgets`"
    return Convergence.model_validate(read_document(path, Convergence, "convergence of a submission", advice))


def write_convergence(folder: Path, found: Convergence) -> None:
    """Store how a run's submission settles; raises EarwitnessError where it cannot be written."""
    with moved_into_place(folder / CONVERGENCE) as temporary:
        temporary.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
