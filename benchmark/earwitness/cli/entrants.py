"""Who runs on what: the tasks and the submissions that a command names, and their runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.cli.output import notice
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.harness.recipe import Arguments, Run
    from earwitness.submission import Submission
    from earwitness.task import Task

ALL = "all"
MAX_SEED = 2**63 - 1
"""Rows hold seeds in 64 bits."""


@dataclass(frozen=True)
class Entrants:
    """Submissions on the tasks that they are to run on."""

    pairs: tuple[tuple[Task, Submission], ...]
    named: bool
    """Whether each was named; else they are all that there are of the task's track."""

    @property
    def run_code(self) -> bool:
        """Whether one of them is code."""
        return any(not submission.card.explanations for _, submission in self.pairs)

    @property
    def code_from_hub(self) -> str:
        """Address of the first that is code from the hub; empty where none is."""
        found = (submission.source for _, submission in self.pairs if not submission.card.explanations)
        return next(filter(None, found), "")


def tasks_of(names: list[str], model: str | None, sources: list[str]) -> list[Task]:
    """The tasks of these names, with one's own model and local copies of sources where they are asked for."""
    from earwitness import registry
    from earwitness.harness.local_copies import require_fitting
    from earwitness.own_model import with_model

    copies = registry.copies(Path.cwd())
    for given in sources:
        hub, _, folder = given.partition("=")
        if not hub or not folder:
            raise EarwitnessError(f"--source {given!r} is no HUB_ID=FOLDER")
        copies[hub] = folder
    found = [registry.task(name).with_copies(copies) for name in names]
    unused = {given.partition("=")[0] for given in sources} - {name for task in found for name in task.copies}
    if model is not None:
        found = [with_model(task, model).with_copies(copies) for task in found]
        unused -= {name for task in found for name in task.copies}
    if unused:
        raise EarwitnessError(f"--source {min(unused)}: no card that is run names it")
    for task in found:
        require_fitting(task)
    return found


def names_of(text: str, option: str) -> list[str]:
    """The names that an option lists; raises EarwitnessError where it names nothing."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise EarwitnessError(f"{option} names nothing")
    return names


def entrants_of(tasks: Sequence[Task], names: list[str]) -> Entrants:
    """The submissions of these names on the tasks; raises EarwitnessError where one is of another track."""
    pairs = [(task, submission) for task in tasks for submission in _submissions(task, names)]
    _say_sources([submission for _, submission in pairs])
    return Entrants(tuple(pairs), names != [ALL])


def _submissions(task: Task, names: list[str]) -> list[Submission]:
    from earwitness import registry

    if names == [ALL]:
        found = [registry.submission(name) for name in registry.submission_ids()]
        found = [submission for submission in found if task.card.track in submission.card.tracks]
        if not found:
            raise EarwitnessError(f"no submission is of the track {task.card.track} of task {task.id}")
        return found
    if ALL in names:
        raise EarwitnessError(f"--submission names `{ALL}` and others; name `{ALL}` alone, or the others")
    found = [registry.submission(name) for name in names]
    for submission in found:
        if task.card.track not in submission.card.tracks:
            known = ", ".join(submission.card.tracks)
            raise EarwitnessError(
                f"submission {submission.id} is of the track {known}, task {task.id} of {task.card.track}"
            )
    _refuse_namesakes(found)
    return found


def _say_sources(found: Sequence[Submission]) -> None:
    """Say where submissions from the hub lie, and what of their repositories was not fetched."""
    from earwitness.hub.submissions import HubSubmission

    for submission in {each.id: each for each in found if isinstance(each, HubSubmission)}.values():
        left_out = submission.fetched.left_out
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        without = f", without {left_out[0]}{more}, which no submission has" if left_out else ""
        notice(f"{submission.id} is {submission.source}, in {submission.folder}{without}")


def _refuse_namesakes(found: Sequence[Submission]) -> None:
    """Raise EarwitnessError where two submissions have one id: their rows would be told apart by a hash alone."""
    folders: dict[str, Path] = {}
    for submission in found:
        folder = submission.folder.resolve()
        if folders.setdefault(submission.id, folder) != folder:
            raise EarwitnessError(
                f"--submission: {folder} and {folders[submission.id]} have one id, {submission.id}; give one of them "
                "another in its card"
            )


def runs_of(entrants: Entrants, arguments: Arguments, out: Path, typed: frozenset[str]) -> list[Run]:
    """The runs of entrants, each once.

    Raises EarwitnessError where a seed would be too large, or a submission without code has no explanations of what is
    asked for; where all submissions are meant, it is left out and a line says so.
    """
    from earwitness.harness.outside.answering import set_of
    from earwitness.harness.recipe import Run

    found: dict[str, Run] = {}
    for task, submission in entrants.pairs:
        highest = max(*task.card.generation_seeds, *arguments.explainer_seeds)
        if arguments.seed + highest > MAX_SEED:
            raise EarwitnessError(f"--seed {arguments.seed}: task {task.id} adds up to {highest}; at most {MAX_SEED}")
        entry = Run(task, submission, arguments.taken_by(submission), out, typed)
        if submission.card.explanations:
            try:
                set_of(entry)
            except EarwitnessError as error:
                if entrants.named:
                    raise
                notice(f"{submission.id} is left out: {error}")
                continue
        found.setdefault(entry.name, entry)
    return list(found.values())
