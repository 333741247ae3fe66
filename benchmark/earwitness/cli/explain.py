"""`earwitness explain`: one's own prompt or sound, one or several methods, and how faithful each map is on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli.entrants import Entrants, entrants_of, names_of, runs_of, tasks_of
from earwitness.cli.output import Json, notice, print_json, print_table, progress, writable
from earwitness.cli.passes import BatchSize, Dtype
from earwitness.cli.run import Isolation, is_typed, isolated, troubles
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import ITEM_FAILED, EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.datasets.own import OwnInput
    from earwitness.explained.values import InputValues
    from earwitness.harness.recipe import Arguments, Run
    from earwitness.harness.session import RunOutcome
    from earwitness.task import Task

FLOOR_SEEDS = (0, 1, 2)
"""Explainer seeds of the floor: how far its draws lie apart on one input is what a value is held against."""
RUNS = "runs"
"""Folder of the runs, in that of the page."""
EXPLAINED = Path("explained")
"""Folder of pages where no other is named."""


def explain(
    context: typer.Context,
    task: Annotated[str, typer.Option(metavar="ID", help="A task: its id or folder.")],
    submission: Annotated[
        str, typer.Option(metavar="ID_OR_PATH[,..]", help="Submissions: ids, folders, hf://user/repo@commit, or `all`.")
    ],
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="The prompt that is explained.")] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="The recording that is explained.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What is said in it; the model's own transcript by default.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="HUB_ID_OR_FOLDER", help="Another model than the card's.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="HUB_ID=FOLDER", help="Where a local copy of a hub id lies.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where models run.")] = "auto",
    dtype: Dtype = "float32",
    batch_size: BatchSize = None,
    isolation: Isolation = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the page; by default one of its own in explained/."),
    ] = None,
    untrusted: Annotated[bool, typer.Option("--untrusted", help="Refuse to run without isolation.")] = False,
    trust_task: TrustTask = False,
    json: Json = False,
) -> None:
    """Explain one's own prompt or sound: maps, sounds, and how faithful each map is on it; the same command resumes."""
    from earwitness.box.devices import require, require_known
    from earwitness.harness.recipe import Arguments
    from earwitness.held_out import secret_of
    from earwitness.own_input import own_task, require_taken
    from earwitness.precision import in_dtype

    require_known(device)
    given = given_input(prompt, audio, reference)
    names = names_of(task, "--task")
    if len(names) > 1:
        raise EarwitnessError(f"--task names {len(names)} tasks; an input is explained on one")
    (of_card,) = tasks_of(names, model, source or [])
    of_card = in_dtype(of_card, dtype) if is_typed(context, "dtype") else of_card
    require_taken(of_card, given)
    folder = writable(EXPLAINED / of_card.id / given.slug if out is None else out, "--out")
    explained = own_task(of_card, given)
    entrants = entrants_of([explained], names_of(submission, "--submission"))
    arguments = Arguments(device=device, dtype=dtype, batch_size=batch_size)
    if isolation is not None or entrants.run_code:
        secret = secret_of(of_card)
        arguments = replace(arguments, isolation=isolated(isolation, untrusted, entrants.code_from_hub, secret))
    trusted([of_card], trust_task)
    require(device, dtype)
    typed = frozenset(name for name in vars(arguments) if is_typed(context, name))
    outcomes = _executed(of_card, given, InputRuns(entrants, arguments, folder / RUNS, typed))
    _report(given, entrants, outcomes, folder, json)


def given_input(prompt: str | None, audio: Path | None, reference: str | None) -> OwnInput:
    """The input that options name; raises EarwitnessError unless it is one, and can be one."""
    from earwitness.datasets.own import own_audio, own_prompt

    if prompt is not None and audio is not None:
        raise EarwitnessError("--prompt and --audio each name an input; give one of them")
    if audio is not None:
        return own_audio(audio, reference)
    if prompt is None:
        raise EarwitnessError("nothing to explain: give --prompt TEXT or --audio FILE")
    if reference is not None:
        raise EarwitnessError("--reference says what is said in a recording; it has no place beside --prompt")
    return own_prompt(prompt)


@dataclass(frozen=True)
class InputRuns:
    """Who explains the input, and how."""

    entrants: Entrants
    arguments: Arguments
    out: Path
    typed: frozenset[str]
    """Names of the arguments that the user gave."""

    def on(self, task: Task) -> list[Run]:
        """Their runs on the task of an input, and the floor's under several seeds, which comes last."""
        from earwitness import registry
        from earwitness.harness.recipe import Run
        from earwitness.results.cube import FLOOR

        found = [submission for _, submission in self.entrants.pairs]
        pairs = tuple((task, submission) for submission in found if submission.id != FLOOR)
        runs = runs_of(Entrants(pairs, self.entrants.named), self.arguments, self.out, self.typed)
        floor = next((each for each in found if each.id == FLOOR), registry.submission(FLOOR))
        if task.card.track in floor.card.tracks:
            seeded = replace(self.arguments, explainer_seeds=FLOOR_SEEDS).taken_by(floor)
            runs.append(Run(task, floor, seeded, self.out, self.typed))
        return runs


def _executed(of_card: Task, given: OwnInput, asked: InputRuns) -> list[RunOutcome]:
    """What becomes of each submission's run on the input, and of the floor's."""
    from earwitness.explained.preparing import with_transcript
    from earwitness.harness import engines
    from earwitness.harness.run import execute
    from earwitness.own_input import own_task

    engine = engines.get("local")
    with progress() as shown:
        runs = asked.on(own_task(of_card, given))
        whole = with_transcript(runs[0], given, engine, shown)
        return execute(runs if whole == given else asked.on(own_task(of_card, whole)), engine, shown)


def _report(given: OwnInput, entrants: Entrants, outcomes: Sequence[RunOutcome], folder: Path, json: bool) -> None:
    """Write the page and print the numbers; exits with 4 where an explanation failed."""
    from earwitness.explained.page import NO_VERDICT, write_page
    from earwitness.explained.values import input_values
    from earwitness.results import rows

    lines = troubles(outcomes)
    ran = {outcome.run.submission.id: outcome for outcome in outcomes if outcome.items}
    ids = [submission.id for _, submission in entrants.pairs if submission.id in ran]
    if ids:
        task = outcomes[0].run.task
        tables = {id: rows.read_run(outcome.run.folder) for id, outcome in ran.items()}
        values = input_values(task.card, tables, ids)
        page = write_page(_shown(given, outcomes, values), folder)
        if json:
            print_json({"task": task.id, "input": given.text, "page": str(page), **values.record()})
        else:
            _print(values)
            print(f"{NO_VERDICT} Maps, sounds and all numbers: {page}")
    for line in lines:
        notice(line)
    if lines:
        raise typer.Exit(ITEM_FAILED)


def _shown(given: OwnInput, outcomes: Sequence[RunOutcome], values: InputValues) -> Any:
    from earwitness.datasets.own import ID
    from earwitness.explained.page import InputPage

    run = outcomes[0].run
    own = run.task.card.dataset.parameters.get("reference")
    notes = [] if not own else [f"{'Said in it' if given.reference else 'The model hears'}: {own}"]
    if own and not given.reference:
        notes.append("No reference was given: the model's own transcript stands for one.")
    return InputPage(
        title=run.task.card.title,
        task=run.task.id,
        model=run.task.model_name,
        text=given.text,
        item=ID,
        task_hash=run.task_hash,
        out=run.out,
        runs={outcome.run.submission.id: outcome.run.folder for outcome in outcomes},
        values=values,
        notes=notes,
    )


def _print(values: InputValues) -> None:
    """Headline metrics as a table."""
    from earwitness.results.cube import FLOOR

    others = [id for id in values.entrants if id != FLOOR]
    shown = [metric for metric in values.metrics if metric.headline] or list(values.metrics)
    with_noise = any(metric.noise is not None for metric in shown)
    records = []
    for metric in shown:
        draws = metric.floor.draws if metric.floor else ()
        cells = [_number(metric.values.get(id)) for id in others]
        span = f"{_number(min(draws))} to {_number(max(draws))}" if draws else "-"
        records.append([metric.id, metric.direction, *cells, span, *([_number(metric.noise)] * with_noise)])
    heads = ["metric", "more faithful", *others, f"{FLOOR}, {len(FLOOR_SEEDS)} draws", *(["noise floor"] * with_noise)]
    print_table("", heads, records)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0:.3f}"
