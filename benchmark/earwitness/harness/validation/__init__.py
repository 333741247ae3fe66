"""Contract suites: whether a submission, a task, a model's adapter, a dataset, a judge or a metric keeps what it must.

One file a kind. Each takes what it checks apart into steps, and says in one line each what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earwitness.harness.validation import datasets, judges, metrics, models, submissions, tasks
from earwitness.harness.validation.steps import Options as Options
from earwitness.harness.validation.steps import Report as Report
from earwitness.harness.validation.subjects import ValidationSubject, find

if TYPE_CHECKING:
    from earwitness.harness.engines import Engine
    from earwitness.harness.validation.steps import Say

IN_A_BOX: dict[str, Any] = {"submission": submissions.validate, "task": tasks.validate}
"""Suites that drive boxes and workers."""
HERE: dict[str, Any] = {
    "model": models.validate,
    "dataset": datasets.validate,
    "judge": judges.validate,
    "metric": metrics.validate,
}
"""Suites that run in this process."""


def validate(target: str, engine: Engine, options: Options, say: Say, kind: str = "") -> Report:
    """Check what a name, a folder, a file or `package.module:factory` stands for.

    Raises EarwitnessError where it stands for nothing, or for things of several kinds and `kind` names none.
    """
    subject: ValidationSubject = find(target, kind)
    if subject.kind in IN_A_BOX:
        report: Report = IN_A_BOX[subject.kind](subject.found, options, say, engine)
    else:
        from earwitness.box.devices import resolve

        device = resolve(options.device)
        report = HERE[subject.kind](subject.found, Options(options.source, options.track, device), say)
    return report
