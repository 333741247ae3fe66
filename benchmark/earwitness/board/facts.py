"""What cards say of tasks, their metrics, and submissions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from earwitness import metrics, registry
from earwitness.errors import EarwitnessError, short
from earwitness.results.audits import Audit, read_audit
from earwitness.results.held_out import public_of
from earwitness.results.task_hashes import parted
from earwitness.submission import by_track
from earwitness.submission_card import SubmissionCard
from earwitness.task import Card, TaskCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from earwitness.task import Task

Ends = dict[str, dict[str, dict[str, float]]]
"""Values of known ends by kind (ceiling, anti), metric and item."""


@dataclass(frozen=True)
class MetricFacts:
    """A metric as a task uses it."""

    id: str
    name: str
    direction: metrics.Direction
    range: tuple[float, float]
    summary: str
    headline: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    defined_by: tuple[str, ...] = ()
    """Submissions that it never ranks, since it is their method."""


@dataclass(frozen=True)
class TaskFacts:
    """What is known of a task by its hash."""

    id: str
    hash: str
    card: TaskCard | None
    """None where neither the registry nor a run's recipe has it: rows alone are shown."""
    registered: bool = False
    model: str = ""
    """What the model is called, for people."""
    other_model: bool = False
    """Whether it is another one than the card's own."""
    readme: str = ""
    certificate: str = ""
    """JSON, empty where there is none."""
    ends: Ends = field(default_factory=dict)
    audit: Audit | None = None
    """Of this very model and these items."""
    audit_problem: str = ""
    """Why an audit that is stored is not used, and what to do."""
    newer: int | None = None
    """The registered version of the task, where it is a later one than this."""

    def metrics(self, ids: Iterable[str]) -> list[MetricFacts]:
        """The task's metrics that rows have, in the card's order, then those that the card does not list."""
        present = list(dict.fromkeys(ids))
        listed = {metric.id: metric for metric in self.card.metrics} if self.card else {}
        order = [id for id in listed if id in present] + sorted(id for id in present if id not in listed)
        return [_metric(id, listed.get(id)) for id in order]


@dataclass(frozen=True)
class SubmissionFacts:
    """What is known of a submission by its hash."""

    id: str
    hash: str
    card: SubmissionCard | None
    registered: bool = False
    readme: str = ""


def task_facts(id: str, hash: str, recipes: Iterable[dict[str, Any]]) -> TaskFacts:
    """Facts of the task of that hash: from the registry if it is the same, else from a recipe's copy of the card."""
    base = parted(hash).base
    try:
        task = registry.task(id)
    except EarwitnessError:
        task = None
    if task is not None and task.hash == public_of(hash):
        audit, problem = _audit(task)
        return TaskFacts(
            id,
            hash,
            task.card,
            registered=True,
            model=task.model_name,
            readme=_text(task.folder / "README.md"),
            certificate=_certificate(task.folder),
            ends=_ends(task.folder),
            audit=audit,
            audit_problem=problem,
        )
    recipes = list(recipes)
    card: TaskCard | None = next(_copies(recipes, "task", base, TaskCard), None)
    told = next((part for recipe in recipes if (part := _part(recipe, "task", base)).get("model")), {})
    model = short(str(told.get("model") or (card.model.source if card else "")))
    newer = None
    if task is not None and card is not None and card.version < task.card.version:
        newer, card = task.card.version, card.model_copy(update={"superseded_by": card.superseded_by or id})
    return TaskFacts(id, hash, card, model=model, other_model=told.get("own_model") is not None, newer=newer)


def mean_ceilings(ends: Ends) -> dict[str, float]:
    """Mean over items of the ceiling of each metric that has one."""
    known = ends.get("ceiling", {})
    return {metric: sum(values.values()) / len(values) for metric, values in known.items() if values}


def by_submission(recipes: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Recipes by the hash of their submission; those that name none are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for recipe in recipes:
        part = recipe.get("submission")
        if isinstance(part, dict) and isinstance(part.get("hash"), str):
            found.setdefault(part["hash"], []).append(recipe)
    return found


def submission_facts(id: str, hash: str, recipes: Iterable[dict[str, Any]]) -> SubmissionFacts:
    """Facts of the submission of that hash: the registered one's if it is the same, else those of a recipe's card.

    Of several recipes' cards, whose texts may differ, the one counts that is anonymous for longest.
    """
    try:
        submission = registry.submission(id)
        same = hash in submission.hashes.values()
    except EarwitnessError:
        submission, same = None, False
    if submission is not None and same:
        return SubmissionFacts(id, hash, submission.card, True, _text(submission.folder / "README.md"))
    copies = _copies(recipes, "submission", hash, SubmissionCard, by_track)
    return SubmissionFacts(id, hash, max(copies, key=lambda card: str(card.anonymous_until), default=None))


def _copies(
    recipes: Iterable[dict[str, Any]],
    kind: str,
    hash: str,
    schema: type[Card],
    whole: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Iterator[Any]:
    """Recipes' copies of the card of that hash, those that this version reads."""
    for recipe in recipes:
        part = _part(recipe, kind, hash)
        if part.get("card"):
            try:
                found = schema.model_validate(whole(part["card"]))
            except (ValueError, TypeError):
                continue
            yield found


def _part(recipe: dict[str, Any], kind: str, hash: str) -> dict[str, Any]:
    """What a recipe says of a task or submission; empty where it is of another hash."""
    part = recipe.get(kind)
    return part if isinstance(part, dict) and part.get("hash") == hash else {}


def _metric(id: str, listed: Any) -> MetricFacts:
    name, declared = metrics.name_of(id), metrics.find(id)
    if declared is None:
        return MetricFacts(id, name, "none", (float("-inf"), float("inf")), "Not declared in this version.")
    headline = bool(listed and listed.headline)
    parameters = dict(listed.parameters) if listed else {}
    return MetricFacts(
        id, name, declared.direction, declared.range, declared.summary, headline, parameters, declared.defined_by
    )


def _audit(task: Task) -> tuple[Audit | None, str]:
    """The audit that is stored with a task where it is of the task's own data, and why it is not used elsewhere."""
    try:
        found = read_audit(task.folder / "truth")
    except EarwitnessError as error:
        return None, str(error)
    if found is None or found.data_hash == task.data_hash:
        return found, ""
    return None, (
        f"the stored audit is of other weights or items (data hash {found.data_hash}, not {task.data_hash}) and is not "
        f"used; make it again with `earwitness audit {task.id}`"
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _certificate(folder: Path) -> str:
    found = sorted(folder.rglob("certificate.json"))
    return _text(found[0]) if found else ""


def _ends(folder: Path) -> Ends:
    """Known ends of the task's own items; a value is the mean over generation seeds."""
    path = folder / "truth" / "ceiling.parquet"
    if not path.is_file():
        return {}
    gathered: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in pq.read_table(path).to_pylist():
        if row["value"] is not None:
            gathered[row.get("kind", "ceiling"), row["metric"], row["item"]].append(row["value"])
    ends: Ends = {}
    for (kind, metric, item), values in gathered.items():
        ends.setdefault(kind, {}).setdefault(metric, {})[item] = sum(values) / len(values)
    return ends
