"""The board's tables of what budgets are worth: score against passes of every entrant, and of its other budgets.

Runs at another budget than a submission's own are rows like any other; they are no entrants, meet nobody in a rank or
in a family of tests, and stand here alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from earwitness.board.summary import Summary
from earwitness.errors import EarwitnessError
from earwitness.results.curves import RecordedBudget, budget_of, read_convergence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.folders import StoredRun
    from earwitness.submission_card import BudgetCurve

Record = dict[str, Any]
Entrant = tuple[str, str]
INTERVAL = ("score", "score_low", "score_high")
VALUES = ("mean", "low", "high", "calibrated", "calibrated_low", "calibrated_high")


def parted(runs: Sequence[StoredRun]) -> tuple[list[StoredRun], list[StoredRun]]:
    """Runs of submissions by themselves, and those at other budgets."""
    own = [run for run in runs if budget_of(run.recipe) is None]
    return own, [run for run in runs if budget_of(run.recipe) is not None]


@dataclass(frozen=True)
class Budgets:
    """What was measured of a variant at other budgets, beside its entrants."""

    entrants: MeasuredVariant
    summary: Summary
    """Of the entrants."""
    every: MeasuredVariant
    """The entrants and their other budgets; the same where there are none."""
    runs: Sequence[StoredRun]
    """All of them."""

    @property
    def of(self) -> dict[Entrant, RecordedBudget]:
        """Of whom another is a budget, by submission and hash."""
        found = {}
        for run in self.runs:
            budget = budget_of(run.recipe)
            if budget is not None:
                first = run.rows.slice(0, 1).to_pylist()[0]
                found[first["submission"], first["submission_hash"]] = budget
        return found


def curve_tables(budgets: Budgets) -> dict[str, list[Record]]:
    """The tables `curves`, a record of each entrant and of each other budget, and `curve_results`, the headline at the
    budgets of those that have several.
    """
    points = _points(budgets)
    for cost, front in (("passes", "front"), ("seconds", "front_seconds")):
        known = [(p[cost], p["score"]) for p in points if p["score"] is not None and p[cost] is not None]
        for point in points:
            own = (point[cost], point["score"])
            point[front] = None not in own and not _beaten(own, known)
    several = {point["entrant"] for point in points if not point["own"]}
    shown = [point for point in points if point["entrant"] in several]
    return {
        "budgets": [{key: value for key, value in point.items() if key != "results"} for point in points],
        "curve_results": [
            {"entrant": point["entrant"], "budget": point["budget"], "own": point["own"], **result}
            for point in shown
            for result in point["results"]
        ],
    }


def _beaten(point: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
    """Whether another is no dearer and no worse, and not the same in both."""
    return any(cost <= point[0] and score >= point[1] and (cost, score) != point for cost, score in others)


def _points(budgets: Budgets) -> list[Record]:
    """Entrants in their order, each followed by its other budgets; then budgets of submissions that are no entrants."""
    entrants, every, of = budgets.entrants, budgets.every, budgets.of
    labels = dict(zip(entrants.cube.entrants, entrants.labels, strict=True))
    settled = _convergence(budgets)
    found = [
        {**_curve_of(entrants, number), "own": True, "entrant": labels[each], **record}
        for (number, each), record in zip(
            enumerate(entrants.cube.entrants), _measured(entrants, budgets.summary), strict=True
        )
    ]
    if every is not entrants:
        summary = Summary(every.cube, every.facts, every.task, every.variant.of_the_card, budgets.summary.sampling)
        for each, record in zip(every.cube.entrants, _measured(every, summary), strict=True):
            if each in of:
                parent = labels.get((of[each].of, of[each].of_hash), of[each].of)
                found.append({"parameter": "", "budget": of[each].value, "own": False, "entrant": parent, **record})
    parameters = {point["entrant"]: point["parameter"] for point in found if point["own"]}
    for point in found:
        point["parameter"] = parameters.get(point["entrant"], "")
        point["convergence"] = settled.get((point["submission"], point["submission_hash"]))
    order = {label: number for number, label in enumerate(entrants.labels)}
    return sorted(found, key=lambda p: (order.get(p["entrant"], len(order)), p["entrant"], p["budget"] or 0))


def _curve_of(measured: MeasuredVariant, entrant: int) -> Record:
    """The parameter that is an entrant's budget, and its own value; nothing where its card names none."""
    card, task = measured.submissions[entrant].card, measured.task.card
    explainer = card.explainers.get(task.track) if card and task else None
    curve: BudgetCurve | None = explainer.curve if explainer else None
    if explainer is None or curve is None:
        return {"parameter": "", "budget": None}
    return {"parameter": curve.parameter, "budget": explainer.budget}


def _measured(measured: MeasuredVariant, summary: Summary) -> list[Record]:
    """Cost, score and headline of each entrant of a variant."""
    headline = {metric.id for metric in measured.facts if metric.headline}
    results: dict[int, list[Record]] = defaultdict(list)
    for result in summary.results():
        if result["metric"] in headline:
            kept = {name: result[name] for name in VALUES}
            results[result["entrant"]].append({"metric": result["metric"], **kept})
    costs = _costs(measured)
    return [
        {
            "submission": submission,
            "submission_hash": hash,
            **costs[submission, hash],
            **{name: record[name] for name in (*INTERVAL, "items", "note")},
            "results": results[number],
        }
        for number, ((submission, hash), record) in enumerate(zip(measured.cube.entrants, summary.ranks(), strict=True))
    ]


def _costs(measured: MeasuredVariant) -> dict[Entrant, Record]:
    """Passes (a backward counts two) and CPU seconds of an explanation, medians over items; none where nobody here saw
    them."""
    keys = ["submission", "submission_hash", "item", "explainer_seed"]
    columns = ("seconds", "forwards", "backwards")
    grouped = measured.rows.group_by(keys).aggregate([(name, "max") for name in columns]).to_pylist()
    spent: dict[Entrant, list[Record]] = defaultdict(list)
    for record in grouped:
        spent[record["submission"], record["submission_hash"]].append(record)
    return {
        entrant: {"passes": None, "seconds": None}
        if entrant in measured.made_elsewhere
        else {
            "passes": float(median(r["forwards_max"] + 2 * r["backwards_max"] for r in records)),
            "seconds": float(median(r["seconds_max"] for r in records)),
        }
        for entrant, records in spent.items()
    }


def _convergence(budgets: Budgets) -> dict[Entrant, float]:
    """How alike the explanations at a budget are to those at the largest, by submission and hash at that budget.

    What cannot be read is not known.
    """
    of = {each: budget.of for each, budget in budgets.of.items()}
    found: dict[Entrant, float] = {}
    for run in budgets.runs:
        first = run.rows.slice(0, 1).to_pylist()[0]
        try:
            settled = read_convergence(run.folder)
        except EarwitnessError:
            continue
        if settled is None or first["task_hash"] != settled.task_hash:
            continue
        if first["task_hash"] != budgets.entrants.variant.task_hash:
            continue
        names = {hash: id for (id, hash), parent in of.items() if parent == settled.submission}
        names[settled.submission_hash] = settled.submission
        for each in settled.budgets:
            if each.convergence is not None and each.submission_hash in names:
                found[names[each.submission_hash], each.submission_hash] = each.convergence
    return found
