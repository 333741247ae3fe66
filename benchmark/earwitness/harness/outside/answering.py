"""Explanations that were handed in, in the place of a box's answers: chosen by a run's items, checked one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness import tracks
from earwitness.box import Answer
from earwitness.box.wording import unsteered
from earwitness.errors import (
    EarwitnessError,
    InvalidCardError,
    InvalidExplanationError,
    NotComparableError,
    one_line,
    short,
    shortened,
)
from earwitness.handed_in import MANIFEST, HandedItem, HandedSet, fresh_mark, name_of
from earwitness.harness import explain
from earwitness.harness.outside.arrays import read_arrays
from earwitness.held_out import HeldOutTask
from earwitness.results.rows import MADE_ELSEWHERE, Status
from earwitness.scoring import outside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earwitness.handed_in import HandedIn
    from earwitness.harness.explain import Shard
    from earwitness.harness.recipe import Run
    from earwitness.task import Task
    from earwitness.tracks import Item, Track

SHOWN = 3
"""Items that a message names."""


def take(
    run: Run, items: Sequence[Item], todo: Sequence[Shard], on_shard: Callable[[int], None] = lambda _: None
) -> None:
    """Store what was handed in for the shards that are not explained yet; `items` are all of the run's.

    An item whose arrays are no explanation of it is stored with a status and a reason. Raises InvalidCardError where
    the set does not name the run's items, EarwitnessError where a file cannot be written.
    """
    handed, track = handed_in(run), tracks.load(run.task.card.track)
    chosen = matched(run, set_of(run), items)
    for shard in todo:
        answers = [answer(track, handed, chosen[item.id], item) for item in shard.items]
        explain.store(run, shard, answers, MADE_ELSEWHERE)
        on_shard(len(shard.items))


def handed_in(run: Run) -> HandedIn:
    """The explanations of a run's submission, which has no explainer."""
    found = run.submission.handed_in
    assert found is not None
    return found


def set_of(run: Run) -> HandedSet:
    """The set that explains what a run asks for.

    Raises NotComparableError where the task is another one since, EarwitnessError where there is no set of its items.
    """
    handed, task = handed_in(run), run.task
    if isinstance(task, HeldOutTask):
        raise EarwitnessError(
            f"{handed.path}: held-out items are handed out to nobody, so that {run.submission.id}, which is without "
            "code, explains none of them; leave it out"
        )
    of_task = [each for each in handed.manifest.sets if each.task == task.id]
    again = f"make explanations of what `earwitness items {task.id}` hands out"
    if not of_task:
        others = ", ".join(dict.fromkeys(each.task for each in handed.manifest.sets))
        raise EarwitnessError(f"{handed.path}: no set is of the task {task.id}, they are of {others}; {again}")
    of_hash = [each for each in of_task if each.task_hash == run.explained]
    if not of_hash:
        raise NotComparableError(
            f"{handed.path}: its items of {task.id} are others than those of today, or of another model (task_hash "
            f"{of_task[0].task_hash}, now {run.explained}); {again}"
        )
    asked, count = run.arguments, asked_for(task, run.arguments.items)
    draw = (asked.seed, fresh_mark(asked.fresh))
    found = next((each for each in of_hash if (each.seed, each.fresh) == draw), None)
    if found is None:
        wanted = "the card's items" if asked.fresh is None else f"the items of --fresh {asked.fresh}"
        own = "the card's items" if of_hash[0].fresh is None else "fresh items"
        own += " of another seed" if of_hash[0].fresh not in (None, draw[1]) and draw[1] is not None else ""
        raise EarwitnessError(
            f"{handed.path}: no set of {task.id} is of {wanted} under --seed {asked.seed}; the first is of {own} under "
            f"--seed {of_hash[0].seed}: ask for those, or {again}"
        )
    if count > found.count:
        raise EarwitnessError(
            f"{handed.path}: it explains the first {found.count} items of {task.id}, and {count} are asked for; run "
            f"with --items {found.count}"
        )
    return found


def asked_for(task: Task, items: int | None) -> int:
    """How many of a task's items are meant where so many are asked for."""
    most = task.card.dataset.items
    return most if items is None else min(items, most)


def renamed(items: Sequence[Item], fresh: int | None) -> dict[str, Item]:
    """Items, in the task's order, by what they are called outside."""
    return {name_of(place, item.id, fresh is not None): item for place, item in enumerate(items)}


def matched(run: Run, found: HandedSet, items: Sequence[Item]) -> dict[str, HandedItem]:
    """What was handed in for each of a run's items, by the item's id.

    A set that claims the first so many items has each of them that can be explained: who could leave some out would
    choose by the result. Raises InvalidCardError where one is missing, or one is named that there is not.
    """
    named, listed = renamed(items, run.arguments.fresh), {item.id: item for item in found.items}
    at, task = handed_in(run).path, run.task.id
    missing = [name for name in named if name not in listed]
    unknown = [name for name in listed if name not in named]
    # Of a run of fewer items it is not known what the others are called.
    if unknown and found.count == asked_for(run.task, run.arguments.items):
        some = f": {', '.join(list(named)[:SHOWN])} ..." if named else ""
        name = shortened(unknown[0])
        raise InvalidCardError(
            f"{at}: item {name!r} is none of the {len(named)} that are explained of {task}{some}; take it out"
        )
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidCardError(
            f"{at}: item {missing[0]!r}{more} of the first {found.count} of {task} is missing; add it, or say in "
            "`failed` why it has no explanation"
        )
    return {item.id: listed[name] for name, item in named.items()}


def answer(track: Track, handed: HandedIn, found: HandedItem, item: Item | None) -> Answer:
    """What was handed in for an item, as a box would answer; without its item whether it can be an explanation.

    Raises InvalidCardError where the file is not what it was when the submission's hash was made.
    """
    name = found.id if item is None else item.id
    if found.file is None:
        return Answer(name, Status.FAILED, short(f"{MANIFEST}: {found.failed}"))
    body = handed.body(found.file)
    expected = None if item is None else outside.of_track(track.name).expected(item)
    try:
        explanation = track.explanation.build(read_arrays(body, expected))
        if item is not None:
            explanation.check(item)
        return Answer(name, Status.OK, arrays=explanation.arrays())
    except MemoryError:
        raise
    except Exception as error:  # what a stranger's arrays can raise is their maker's doing
        said = str(error) if isinstance(error, InvalidExplanationError) else one_line(error)
        return Answer(name, Status.INVALID, unsteered(short(f"{found.file}: {said}; make it again")))
