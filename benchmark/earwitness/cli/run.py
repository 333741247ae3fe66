"""`earwitness run`, `score` and `verify`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli.dry_run import print_forecasts
from earwitness.cli.entrants import MAX_SEED, entrants_of, names_of, runs_of, tasks_of
from earwitness.cli.output import Json, print_json, print_table, progress, writable
from earwitness.cli.passes import BatchSize, Dtype
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import ITEM_FAILED, EarwitnessError, VerificationError, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.harness.session import RunOutcome

MOST_ITEMS = 2**31 - 1
MOST_SEEDS = 10**6
"""Of an explainer seed."""
SHOWN = 5
"""Reasons, or differing rows, that are printed."""

Isolation = Annotated[
    str | None,
    typer.Option(
        metavar="bwrap|landlock|process", help="What a submission runs in; the strongest that is to be had by default."
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]


def run(
    context: typer.Context,
    task: Annotated[str, typer.Option(metavar="ID[,ID]", help="Tasks: ids or folders.")],
    submission: Annotated[
        str, typer.Option(metavar="ID_OR_PATH[,..]", help="Submissions: ids, folders, hf://user/repo@commit, or `all`.")
    ],
    items: Annotated[int | None, typer.Option(min=1, max=MOST_ITEMS, help="The first N items instead of all.")] = None,
    explainer_seeds: Annotated[
        str, typer.Option(metavar="0,1,2", help="Explain each item under each of them, where that changes anything.")
    ] = "0",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Shifts the seeds of generation and explainers.")] = 0,
    fresh: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, metavar="SEED", help="Draw other items of a made world.")
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(metavar="secret|PATH", help="The task's held-out items, by their owner's secret or files."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="HUB_ID_OR_FOLDER", help="Another model than the card's: a variant of the task."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="HUB_ID=FOLDER", help="Where a local copy of a hub id lies.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where models run.")] = "auto",
    dtype: Dtype = "float32",
    batch_size: BatchSize = None,
    isolation: Isolation = None,
    engine: Annotated[str, typer.Option(metavar="local|ray|slurm", help="Where the work is done.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="So many jobs, a box each, side by side.")] = None,
    engine_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Of the engine: partition=gpu; see docs/engines.md.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the runs.")] = Path("runs"),
    budgets: Annotated[bool, typer.Option("--budgets", help="Each at every budget of its card's curve, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will cost here; run nothing else.")] = False,
    untrusted: Annotated[bool, typer.Option("--untrusted", help="Refuse to run without isolation.")] = False,
    trust_task: TrustTask = False,
    json: Json = False,
) -> None:
    """Explain and score submissions on tasks; the same command resumes."""
    from earwitness.box.devices import require, require_known
    from earwitness.harness import engines
    from earwitness.harness.budgets import at_budgets, settle
    from earwitness.harness.dry_run import forecast
    from earwitness.harness.engines.local import WORKERS
    from earwitness.harness.engines.settings import EngineSettings, settings_of
    from earwitness.harness.recipe import Arguments
    from earwitness.harness.run import execute
    from earwitness.held_out import held_out as with_held_out
    from earwitness.held_out import secret_of
    from earwitness.precision import in_dtype

    if fresh is not None and held_out is not None:
        raise EarwitnessError("--fresh and --held-out each name other items than the card's; give one of them")
    require_known(device)
    arguments = Arguments(items, seed, fresh, device, "", seeds_of(explainer_seeds), dtype=dtype, batch_size=batch_size)
    typed = frozenset(name for name in vars(arguments) if is_typed(context, name))
    tasks = tasks_of(names_of(task, "--task"), model, source or [])
    tasks = [in_dtype(each, dtype) for each in tasks] if "dtype" in typed else tasks
    if held_out is not None:
        hidden = [with_held_out(each, held_out) for each in tasks]
        tasks, arguments = list(hidden), replace(arguments, held_out=hidden[0].where)
    entrants = entrants_of(tasks, names_of(submission, "--submission"))
    # Where no code is run there is nothing to be kept from it.
    secret = next(filter(None, map(secret_of, tasks)), "")
    if isolation is not None or entrants.run_code:
        arguments = replace(arguments, isolation=isolated(isolation, untrusted, entrants.code_from_hub, secret))
    trusted(tasks, trust_task)
    runs = runs_of(entrants, arguments, writable(out, "--out"), typed)
    runs = at_budgets(runs) if budgets else runs
    if dry_run:
        shared = settings_of(engine, Path.cwd(), workers, engine_option or [])
        local = engines.get("local", EngineSettings(workers=1))
        with progress() as shown:
            found = forecast(runs, local, shown)
        print_forecasts(found, shared.workers or WORKERS, json)
        return
    chosen = engines.get(engine, settings_of(engine, Path.cwd(), workers, engine_option or []))
    if not chosen.apart:
        require(device, dtype)
    with progress() as shown, closing(chosen):
        outcomes = execute(runs, chosen, shown)
        if budgets:
            settle(outcomes, engines.get("local") if chosen.apart else chosen, shown)
    _report(outcomes, json)


def score(folder: RunFolder, trust_task: TrustTask = False, json: Json = False) -> None:
    """Score a run again from its explanations."""
    from earwitness.harness import engines, recipe
    from earwitness.harness.run import rescore

    trusted([recipe.reopen(folder).task], trust_task)
    with progress() as shown:
        outcome = rescore(folder, engines.get("local"), shown)
    _report([outcome], json)


def verify(folder: RunFolder, isolation: Isolation = None, trust_task: TrustTask = False, json: Json = False) -> None:
    """Explain and score a run again in a fresh box and compare its rows with the recorded ones."""
    from earwitness.harness import engines, recipe
    from earwitness.harness.verify import verify as verify_run
    from earwitness.held_out import secret_of

    run = recipe.reopen(folder)
    code, secret = not run.submission.card.explanations, secret_of(run.task)
    level = isolated(isolation, source=run.submission.source, secret=secret) if code else None
    trusted([run.task], trust_task)
    with progress() as shown:
        verdict = verify_run(folder, engines.get("local"), shown, level)
    if json:
        print_json(
            {
                **vars(verdict),
                "verified": verdict.verified,
                "differences": [vars(d) for d in verdict.differences],
                "rounding": [vars(d) for d in verdict.rounding],
            }
        )
    elif verdict.verified and verdict.rounding:
        print(
            f"verified: {verdict.run}: equal within rounding: {len(verdict.rounding)} of {verdict.rows} rows differ, "
            f"by at most {verdict.farthest:.1g}"
        )
    elif verdict.verified:
        print(f"verified: {verdict.run}: equal: the same {verdict.rows} rows, {verdict.recomputed[:16]}")
    else:
        shown_rows = [
            ["/".join(str(d.key[name]) for name in ("metric", "item", "generation_seed")), d.recorded, d.recomputed]
            for d in sorted(verdict.differences, key=lambda each: -each.apart)[:SHOWN]
        ]
        if shown_rows:
            print_table("", ["metric/item/seed", "recorded", "recomputed"], shown_rows)
    if not verdict.verified:
        raise VerificationError(_complaint(verdict))


def _complaint(verdict: Any) -> str:
    versions = f"; versions differ: {', '.join(verdict.versions)}" if verdict.versions else ""
    if verdict.differences:
        return (
            f"{verdict.run}: {len(verdict.differences)} of {verdict.rows} rows differ from the recorded ones{versions}"
        )
    return f"{verdict.run}: the rows on disk are not those that run.json names{versions}"


def isolated(asked: str | None, untrusted: bool = False, source: str = "", secret: str = "") -> str:
    """The isolation level that is asked for, or the strongest that is to be had; says so where that is none.

    Code from the hub, whose address is `source`, is untrusted; `secret` names what of a task no submission may know.
    Raises EarwitnessError where the level is not to be had, or keeps nothing from code that it must be kept from.
    """
    from earwitness.box import LEVELS, UNISOLATED, levels

    if asked is not None and asked not in LEVELS:
        raise EarwitnessError(f"no isolation level is called {shortened(asked)!r}; levels: {', '.join(LEVELS)}")
    found = asked or levels.strongest()
    if found not in UNISOLATED:
        levels.require(found)
        return found
    why = source or secret or ("--untrusted" if untrusted else "")
    if why and asked is not None:
        instead = "copy the folder and run that" if source else "run without --untrusted"
        instead = "" if secret else f", or read the code and {instead}"
        raise EarwitnessError(
            f"{why}: isolation {found!r} keeps nothing from a submission's code; leave --isolation out{instead}"
        )
    if why:
        return levels.isolated(why)
    if asked is None:
        typer.echo(f"earwitness: submissions run as plain processes, without isolation. {levels.missing()}", err=True)
    return found


def seeds_of(text: str) -> tuple[int, ...]:
    """The explainer seeds that an option lists; raises EarwitnessError."""
    names = [part.strip() for part in text.split(",")]
    if not all(name.isascii() and name.isdigit() and int(name) <= MOST_SEEDS for name in names):
        raise EarwitnessError(
            f"--explainer-seeds {shortened(text)!r} is no list of numbers from 0 to {MOST_SEEDS}: 0,1,2"
        )
    found = tuple(map(int, names))
    if len(set(found)) < len(found):
        raise EarwitnessError(f"--explainer-seeds {shortened(text)!r} lists a seed twice")
    return found


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether the user gave an option or an argument."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _report(outcomes: list[RunOutcome], json: bool) -> None:
    """Print what became of each run; exits with 4 where an item or an entrant failed."""
    from earwitness.results.rows import UNVERIFIED

    if json:
        print_json([_record(outcome) for outcome in outcomes])
    else:
        records = [
            [
                outcome.run.task.id,
                outcome.run.submission.id,
                str(outcome.items - outcome.failed),
                str(outcome.failed),
                UNVERIFIED if _unseen(outcome) else f"{outcome.seconds:.1f}",
                str(outcome.run.folder) if outcome.begun else "not begun",
            ]
            for outcome in outcomes
        ]
        print_table("", ["task", "submission", "ok", "failed", "CPU s", "run"], records)
    lines = troubles(outcomes)
    for line in lines:
        typer.echo(f"earwitness: {line}", err=True)
    if lines:
        raise typer.Exit(ITEM_FAILED)


def troubles(outcomes: Sequence[RunOutcome]) -> list[str]:
    """One line for each way in which runs are not whole."""
    return _shared(outcomes) + [line for outcome in outcomes for line in _trouble(outcome)]


def _shared(outcomes: Sequence[RunOutcome]) -> list[str]:
    """One line for each error that is a task's, not one submission's."""
    return list(dict.fromkeys(f"{outcome.run.task.id}: {error}" for outcome in outcomes for error in outcome.shared))


def _trouble(outcome: RunOutcome) -> list[str]:
    """One line for each way in which a run is not whole."""
    name = f"{outcome.run.submission.id} on {outcome.run.task.id}"
    reasons = list(outcome.reasons.items())
    lines = [f"{name}: {_items(count)} failed: {reason}" for reason, count in reasons[:SHOWN]]
    if len(reasons) > SHOWN:
        lines.append(f"{name}: {_items(sum(count for _, count in reasons[SHOWN:]))} failed for other reasons")
    lines += [f"{name}: {error}" for error in outcome.errors if error not in outcome.shared]
    if not outcome.done and not outcome.errors:
        lines.append(f"{name}: not done; run the same command to resume")
    return lines


def _unseen(outcome: RunOutcome) -> bool:
    """Whether nobody here saw what the explanations cost."""
    return bool(outcome.run.submission.card.explanations)


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _record(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "task": outcome.run.task.id,
        "submission": outcome.run.submission.id,
        "run": str(outcome.run.folder) if outcome.begun else None,
        "items": outcome.items,
        "failed": outcome.failed,
        "seconds": None if _unseen(outcome) else outcome.seconds,
        "done": outcome.done,
        "errors": outcome.errors,
        "reasons": outcome.reasons,
    }
