"""The suite of a task: its card, what it needs here, its data, its model and its judges."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from earwitness.harness.needs import needs, takes
from earwitness.harness.validation.pace import in_words
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.harness.validation.work import ITEMS, Job, in_worker, load_judges, make
from earwitness.scoring import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.harness.engines import Engine
    from earwitness.task import Task


def validate(task: Task, options: Options, say: Say, engine: Engine) -> Report:
    """Check a task; its model and its judges are read in a worker."""
    card = task.card
    with TemporaryDirectory(prefix="earwitness-validate-") as temporary:
        job = Job(task, options.device, Path(temporary))
        steps = [
            Step("what its card hands to model, dataset and metrics", lambda: _card(task)),
            Step("its identity", lambda: _identity(task)),
            Step("what it needs and is not here", lambda: _missing(task)),
            Step(f"its {card.dataset.items} records", lambda: _records(task)),
            Step(
                f"its model, and its first {ITEMS} items in the batch that they are made in",
                lambda: _items(job, engine),
            ),
            Step(
                f"its judges: {', '.join(judge.name for judge in card.judges) or 'none'}", lambda: _judges(job, engine)
            ),
        ]
        return report("task", task.id, steps, say)


def _card(task: Task) -> Iterator[str]:
    import_module("earwitness.scoring.loading").check_parameters(task)
    columns = import_module("earwitness.scoring.columns").read_columns(task)
    main = next(column for column in columns if column.id == task.card.main_metric)
    if main.metric.direction == "none":
        yield f"main_metric {main.id} describes and has no better or worse; name a metric that has"
    if not any(metric.headline for metric in task.card.metrics):
        yield "no metric is a headline (`headline = true`), so that nothing could be ranked by it"


def _identity(task: Task) -> Iterator[str]:
    if task.id != task.folder.name:
        yield f"its id is {task.id} and its folder {task.folder.name}; give them one name"
    _ = task.hash


def _missing(task: Task) -> Iterator[str]:
    for need in needs(task):
        yield f"{need} is not here; see `earwitness tasks {task.id}`"
    yield ReportNote(f"a whole run, as its card says: {takes(task)}")


def _records(task: Task) -> Iterator[str]:
    begun = monotonic()
    records = import_module("earwitness.scoring.loading").load_records(Setting(task))
    yield ReportNote(f"reading its {len(records)} records took {in_words(monotonic() - begun)}")
    if len(records) < task.card.dataset.items:
        yield f"the card asks for {task.card.dataset.items} items and the dataset has {len(records)}; ask for fewer"


def _items(job: Job, engine: Engine) -> Iterator[str]:
    making = in_worker(engine, make, job)
    for problem in making.prepared.problems:
        yield f"item {problem.item} cannot be explained: {problem.reason}"
    if making.reading is not None:
        yield ReportNote(f"reading its model took {in_words(making.reading)}")
    items = job.task.card.dataset.items
    whole = in_words(making.seconds / making.made * items)
    yield ReportNote(
        f"making {making.made} items took {in_words(making.seconds)}; all {items} take about {whole}, before any is "
        "explained or scored"
    )


def _judges(job: Job, engine: Engine) -> Iterator[str]:
    if job.task.card.judges:
        begun = monotonic()
        in_worker(engine, load_judges, job)
        yield ReportNote(f"reading its judges took {in_words(monotonic() - begun)}, the start of a worker included")
