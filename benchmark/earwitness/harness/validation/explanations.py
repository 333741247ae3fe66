"""The suite of explanations that were made elsewhere: manifest, files, and each set against the items of its task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from earwitness import registry, tracks
from earwitness.handed_in import MANIFEST
from earwitness.harness import score
from earwitness.harness.outside import answering
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.stages import LOG
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from earwitness.box import Answer
    from earwitness.handed_in import HandedIn, HandedItem, HandedSet
    from earwitness.harness.engines import Engine
    from earwitness.submission import Submission
    from earwitness.task import Task
    from earwitness.tracks import Item, Track

SHOWN = 5
"""Items of a set that a report names, at most."""


def validate(
    submission: Submission, options: Options, say: Say, engine: Engine, tasks: Mapping[str, Task] | None = None
) -> Report:
    """Check explanations against the items of each set's task, which are made with its model.

    `tasks` are looked in before the registered ones, by id or by track. Nothing of the submission's is run. Items of a
    fresh draw are known to who drew them alone: of those the files are looked at by `earwitness run --fresh`.
    """
    known = {task.id: task for task in (tasks or {}).values()}
    with TemporaryDirectory(prefix="earwitness-validate-") as temporary:
        steps = [Step(f"its {MANIFEST}, and the files that it names", lambda: _files(submission))]
        try:
            handed = submission.handed_in
            sets = handed.manifest.sets if handed is not None else ()
        except Exception:  # the first step says what is wrong with it
            sets = ()
        for number, each in enumerate(sets, 1):
            label = f"set {number}: {len(each.items)} items of {each.task}{', a fresh draw' if each.fresh else ''}"
            steps.append(Step(label, _checks(submission, each, options, engine, known, Path(temporary))))
        return report("submission", submission.id, steps, say)


def _files(submission: Submission) -> Iterator[str]:
    """Read every file, so that each is there and is what the manifest says; tells the submission's hash."""
    yield ReportNote(f"its hash is {submission.hash_for(submission.card.tracks[0])}; one changed byte makes it another")


def _checks(
    submission: Submission, found: HandedSet, options: Options, engine: Engine, known: Mapping[str, Task], out: Path
) -> Callable[[], Iterator[str]]:
    def check() -> Iterator[str]:
        handed = submission.handed_in
        assert handed is not None
        task = known.get(found.task) or registry.task(found.task)
        track = tracks.load(task.card.track)
        if track.name not in submission.card.explanations:
            yield f"{handed.path}: {task.id} is of the track {track.name}, which is none of the card's `explanations`"
        elif found.fresh is not None:
            yield from _told([_without_arrays(track, handed, item, None) for item in found.items], task)
            yield ReportNote(f"{task.id}: items of a fresh draw, whose shapes `earwitness run --fresh SEED` looks at")
        else:
            arguments = Arguments(items=found.count, seed=found.seed, device=options.device).taken_by(submission)
            yield from _told(_answers(Run(task, submission, arguments, out), handed, engine), task)

    return check


def _answers(run: Run, handed: HandedIn, engine: Engine) -> list[Answer]:
    """What was handed in for each of a run's items; raises EarwitnessError where the set does not name these."""
    chosen = answering.set_of(run)
    ((_, prepared),) = list(engine.compute(score.prepare, [run], run.out / LOG, 1))
    if isinstance(prepared, Exception):
        raise prepared
    items = next(iter(prepared.items.values()))
    matched = answering.matched(run, chosen, items)
    track = tracks.load(run.task.card.track)
    return [_without_arrays(track, handed, matched[item.id], item) for item in items]


def _without_arrays(track: Track, handed: HandedIn, found: HandedItem, item: Item | None) -> Answer:
    """What was handed in for an item, its arrays forgotten: those of a whole set may be more than fits into memory."""
    return replace(answering.answer(track, handed, found, item), arrays={})


def _told(answers: Sequence[Answer], task: Task) -> Iterator[str]:
    """What is wrong with a set, item by item, and how many items it says of that they failed."""
    failed = [answer for answer in answers if answer.status == Status.FAILED]
    wrong = [answer for answer in answers if answer.status not in (Status.OK, Status.FAILED)]
    for answer in wrong[:SHOWN]:
        yield f"{task.id}, item {answer.item}: {answer.reason}"
    if len(wrong) > SHOWN:
        yield f"{task.id}: {len(wrong) - SHOWN} more items have no explanation"
    if failed:
        yield ReportNote(f"{task.id}: {len(failed)} items failed, as the manifest says, and rank at the floor")
