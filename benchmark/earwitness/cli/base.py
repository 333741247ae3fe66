"""`earwitness check --base REF`: an explainer as it is here against what it was at a commit, both scored now."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.commits import SHORT, GitError, Repository
from earwitness.errors import EarwitnessError, ExplainerFailedError, NotComparableError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from earwitness.gate import CheckReport, Settings
    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.session import Progress
    from earwitness.submission import Submission
    from earwitness.task import Task

PAGES = ".md"
"""Ending of what is for people: no task is another one by it."""


@dataclass(frozen=True)
class BaseCheck:
    """What is compared, and with what."""

    ref: str
    tasks: tuple[Task, ...]
    submissions: tuple[Submission, ...]
    settings: Settings
    items: int | None = None
    device: str = "auto"
    isolation: str = "process"
    out: Path | None = None
    """Folder that keeps the runs; None for none."""


@dataclass(frozen=True)
class Side:
    """A submission at the base and here, on a task."""

    task: Task
    base: Submission
    head: Submission


def check_base(asked: BaseCheck, engine: Engine, progress: Progress) -> CheckReport:
    """Score both sides with the same items and seeds, and compare them as `check RUN --against FILE` does.

    Sides whose identities are the same are not run. Raises GitError where there is no such commit or no repository,
    NotComparableError where a task differs, ExplainerFailedError where a side has no value, and what `gate.check` does.
    """
    from earwitness.gate import CheckReport

    _refuse_rules(asked)
    repository = Repository.of(asked.submissions[0].folder)
    commit = repository.commit(asked.ref)
    for task in asked.tasks:
        _refuse_other_task(repository, commit, task)
    with _temporary() as folder:
        sides = _sides(asked, repository, commit, folder / "base")
        notes = _notes(asked, repository, commit)
        same = [side for side in sides if _identity(side.base, side.task) == _identity(side.head, side.task)]
        notes += [f"{side.head.id} on {side.task.id}: nothing changed, so that neither side was run" for side in same]
        report = CheckReport((), asked.settings.mode)
        if others := [side for side in sides if side not in same]:
            report = _compared(others, replace(asked, out=asked.out or folder / "runs"), engine, progress)
        return replace(report, notes=(*notes, *report.notes))


def _refuse_rules(asked: BaseCheck) -> None:
    """Raise where no rule is about a metric of a task: both sides would be run in vain."""
    from earwitness.gate import RuleError

    if not asked.settings.fail_if:
        raise EarwitnessError("no rule says what is worse; give --fail-if, or fail_if in [tool.earwitness.check]")
    metrics = [(task.id, metric.id) for task in asked.tasks for metric in task.card.metrics]
    for rule in asked.settings.fail_if:
        if not any(rule.matches(*metric) for metric in metrics):
            tasks = ", ".join(task.id for task in asked.tasks)
            raise RuleError(f"rule {rule.text!r} is about no metric of {tasks}; see `earwitness tasks {tasks}`")


def _refuse_other_task(repository: Repository, commit: str, task: Task) -> None:
    """Raise where a task that lies in the repository is not what it was."""
    card = task.card
    sources = (card.model.source, card.dataset.source, *(judge.source for judge in card.judges))
    folders = [task.folder, *(task.folder / source for source in sources if source and (task.folder / source).is_dir())]
    inside = [folder for folder in folders if repository.holds(folder)]
    changed = repository.changed(commit, inside) if inside else []
    files = [path for path in changed if not path.endswith(PAGES)]
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise NotComparableError(
            f"task {task.id} is not the same at {commit[:SHORT]} and here: {shortened(files[0])}{more}; name a commit "
            "that has the task as it is by --base, or another task by --task"
        )


@contextmanager
def _temporary() -> Iterator[Path]:
    """A folder that is gone at the end, whatever the end is."""
    folder = Path(tempfile.mkdtemp(prefix="earwitness-base-"))
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sides(asked: BaseCheck, repository: Repository, commit: str, tree: Path) -> list[Side]:
    """Each submission on each task of its tracks, with a copy of what it was at the commit."""
    repository.check_out(commit, [repository.inner(head.folder) for head in asked.submissions], tree)
    sides = []
    for head in asked.submissions:
        base = _at(commit, tree, repository.inner(head.folder), head)
        mine = [task for task in asked.tasks if task.card.track in head.card.tracks]
        if not mine:
            known, tasks = ", ".join(head.card.tracks), ", ".join(task.id for task in asked.tasks)
            raise EarwitnessError(f"submission {head.id} is of the track {known}, and none of {tasks} is")
        for task in mine:
            _refuse_installed(head, base, task)
            sides.append(Side(task, base, head))
    return sides


def _at(commit: str, tree: Path, inner: str, head: Submission) -> Submission:
    """What a submission was at a commit; raises EarwitnessError where it was not there, or another one."""
    from earwitness.errors import InvalidCardError
    from earwitness.submission import CARD, read_submission

    place = f"{commit[:SHORT]}:{inner}"
    if not (tree / inner / CARD).is_file():
        raise EarwitnessError(
            f"submission {head.id} is not in {commit[:SHORT]}, which has no {inner}/{CARD}: it is new, and there is "
            "nothing to compare it with; name a later commit by --base"
        )
    try:
        found = read_submission(tree / inner)
        found = found if head.budget is None else found.at(head.budget.value)
    except InvalidCardError as error:
        raise InvalidCardError(str(error).replace(str(tree / inner), place)) from error
    if found.id != head.id:
        raise NotComparableError(f"the submission in {inner} is {head.id} here and was {found.id} at {commit[:SHORT]}")
    return found


def _refuse_installed(head: Submission, base: Submission, task: Task) -> None:
    """Raise where a side's code is that of an installed package, of which there is one version here."""
    for side in (base, head):
        card = side.card.explainers.get(task.card.track)
        if card is None:
            raise NotComparableError(f"submission {head.id} had no explainer of the track {task.card.track} before")
        if ":" in card.explainer:
            raise EarwitnessError(
                f"submission {head.id}: its code, {card.explainer}, is an installed package's, of which only one "
                "version is here; compare with a stored baseline: earwitness check RUN --against FILE"
            )


def _identity(submission: Submission, task: Task) -> str:
    return submission.hash_for(task.card.track)


def _notes(asked: BaseCheck, repository: Repository, commit: str) -> list[str]:
    """What is compared, in words, and what else differs."""
    notes = []
    folders = [submission.folder for submission in asked.submissions]
    own = [f"{repository.inner(folder)}/" for folder in folders]
    for submission in asked.submissions:
        loose = repository.changed("HEAD", [submission.folder])
        here = f"HEAD {_commit(repository, 'HEAD')}"
        if loose:
            more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
            here = f"the working tree on {here}, with {shortened(loose[0])}{more} not committed"
        notes.append(f"{submission.id}: baseline is {asked.ref} {commit[:SHORT]}, run is {here}")
    known = repository.changed(commit, [repository.top], unknown=False)
    others = [path for path in known if not path.startswith(tuple(own))]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        notes.append(
            f"outside of {', '.join(own)} {shortened(others[0])}{more} changed, too: both sides ran with what is here"
        )
    return notes


def _commit(repository: Repository, ref: str) -> str:
    try:
        return repository.commit(ref)[:SHORT]
    except GitError:
        return "without a commit"


def _compared(sides: Sequence[Side], asked: BaseCheck, engine: Engine, progress: Progress) -> CheckReport:
    """Run both sides and hand their rows to the gate."""
    from earwitness import gate
    from earwitness.harness.recipe import Arguments, Run
    from earwitness.harness.run import execute

    arguments = Arguments(items=asked.items, device=asked.device, isolation=asked.isolation)
    assert asked.out is not None
    heads = [Run(side.task, side.head, arguments.taken_by(side.head), asked.out) for side in sides]
    bases = [Run(side.task, side.base, arguments.taken_by(side.base), asked.out) for side in sides]
    for outcome in execute([*bases, *heads], engine, progress):
        if not outcome.done:
            side = "baseline" if outcome.run in bases else "run"
            why = outcome.errors[0] if outcome.errors else "it is not done; run the same command again"
            raise ExplainerFailedError(f"{outcome.run.submission.id} on {outcome.run.task.id}, {side}: {why}")
    _refuse_empty(bases, asked.ref)
    rows, baseline = (gate.read_rows([run.folder for run in some]) for some in (heads, bases))
    return gate.check(rows, baseline, asked.settings.fail_if, asked.settings.mode)


def _refuse_empty(bases: Sequence[Run], ref: str) -> None:
    """Raise where a baseline has no value: everything would pass."""
    from earwitness.results.rows import Status, read_run

    for run in bases:
        rows = read_run(run.folder)
        if Status.OK not in rows["status"].to_pylist():
            reason = rows["reason"][0].as_py() if len(rows) else "no item was run"
            raise ExplainerFailedError(
                f"{run.submission.id} on {run.task.id}: no item has a value at {ref}, and anything would pass: {reason}"
            )
