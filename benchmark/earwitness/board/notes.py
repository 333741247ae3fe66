"""What a reader must know of a variant before its numbers: what is not calibrated or ranked, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.board.held_out import withheld
from earwitness.board.summary import CALIBRATED, RAW
from earwitness.results.cube import FLOOR
from earwitness.stats.composite import FEWEST_PARTS, MOST
from earwitness.stats.intervals import FEWEST_CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.board.facts import TaskFacts
    from earwitness.board.summary import Summary
    from earwitness.board.variants import MeasuredVariant


def task_note(measured: MeasuredVariant, summary: Summary) -> str:
    """All notes on a variant, in one text."""
    parts = (_ranking(measured, summary), _score(measured.task, summary), _origin(measured, summary))
    return " ".join([*(note for part in parts for note in part), *measured.cube.notes])


def _ranking(measured: MeasuredVariant, summary: Summary) -> Iterator[str]:
    """What entrants are ranked by, and why not by a score."""
    task, found = measured.task, summary.placings
    if measured.cube.floor is None:
        yield f"No rows of {FLOOR!r}: nothing is calibrated or ranked; failed items count as the worst value."
    elif summary.ranked_by == RAW:
        yield from _raw(measured, summary)
    elif not summary.headline:
        yield "No headline metric is informative here: nothing is ranked."
    if task.audit_problem:
        yield f"{task.audit_problem[:1].upper()}{task.audit_problem[1:]}."
    if found is not None and found.ranks is None:
        yield (
            f"Too few items for ranks: {summary.size} clusters, on which not even the same gain on every item would be "
            "told."
        )


def _raw(measured: MeasuredVariant, summary: Summary) -> Iterator[str]:
    task = measured.task
    if not task.ends:
        why = "No ceiling is stored with the task"
    elif not task.audit_problem:
        why = f"No audit is stored with the task (`earwitness audit {task.id}` makes one)"
    else:
        why = "The task has no audit that counts"
    if summary.main is None:
        yield f"{why}: nothing is calibrated, and nothing ranked, since the main metric has no direction."
    else:
        yield f"{why}: ranked raw, by {summary.main.facts.id} alone; nothing is calibrated."


def _score(task: TaskFacts, summary: Summary) -> Iterator[str]:
    """Which headline metrics are no part of the score, which one decides, and who defines one."""
    if summary.ranked_by == CALIBRATED:
        left = [column for column in summary.columns if column.facts.headline and column.part is None]
        endless = [column.facts.id for column in left if column.ends is None]
        dull = [column.facts.id for column in left if column.informative is False]
        unknown = [column.facts.id for column in left if column.ends is not None and column.informative is None]
        if endless and summary.cube.floor is not None:
            yield f"No ceiling is stored, and left out of the score: {', '.join(endless)}."
        if dull:
            yield f"Uninformative by the task's audit, and left out of the score: {', '.join(dull)}."
        if unknown:
            yield f"Not audited, and left out of the score until the task is audited again: {', '.join(unknown)}."
    shares = [(share, c.facts.id) for c, share in zip(summary.headline, summary.shares, strict=True) if share]
    if shares and len(summary.headline) > 1:
        share, metric = max(shares)
        if len(summary.headline) < FEWEST_PARTS:
            yield f"{metric} decides: it carries {100 * share:.0f} % of the score's variance between entrants."
        elif share > MOST:
            stored = task.audit is not None and task.audit.weights is not None
            why = "stored weights are of other entrants" if stored else "no weights are stored with the task's audit"
            yield f"{metric} carries {100 * share:.0f} % of the score's variance between entrants: {why}."
    for entrant, metrics in summary.defined.items():
        name, these = summary.cube.entrants[entrant][0], ", ".join(metrics)
        score = "with a score over the other headline metrics" if summary.ranked_by == CALIBRATED else "without a rank"
        yield f"{name} is the definition of {these}: it stands apart, {score}."
    for entrant, likeness in summary.likenesses.items():
        yield f"{summary.cube.entrants[entrant][0]} has the same values {likeness}: one method under two names?"


def _origin(measured: MeasuredVariant, summary: Summary) -> Iterator[str]:
    task = measured.task
    if task.ends and not measured.variant.of_the_card:
        yield "Ceilings are those of the task's own items, so their uncertainty is not in calibrated intervals."
    if 0 < summary.size < FEWEST_CLUSTERS:
        yield f"Too few items for intervals of means: {summary.size} clusters."
    if withheld(measured.variant.task_hash, task):
        yield "The items are their owner's alone: of them the board holds means and verdicts."
    if measured.variant.inline:
        yield "These rows were made in the caller's own process: nothing kept the explainer from what scores it."
    if task.other_model:
        yield f"The task with another model, {task.model}: these rows meet no others."
    elif task.newer is not None and task.card is not None:
        yield f"These rows are of version {task.card.version}, superseded by {task.newer}; they meet none of its."
    elif not task.registered:
        yield "These rows belong to a version of the task that is not registered."
    elif task.card is not None and task.card.superseded_by:
        yield f"Superseded by {task.card.superseded_by}, as the task's card says."
