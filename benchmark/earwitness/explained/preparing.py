"""An input of the user's own, tried before all else: whether the model takes it, and what it makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError
from earwitness.harness import score
from earwitness.harness.needs import require_packages
from earwitness.harness.stages import LOG, drop_stale_originals

if TYPE_CHECKING:
    from earwitness.datasets.own import OwnInput
    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.session import Progress


def with_transcript(run: Run, given: OwnInput, engine: Engine, progress: Progress) -> OwnInput:
    """The input as it is explained: of a sound without a reference, with the model's own transcript as one.

    `run` is any run of it. Its originals are made, so that an input that cannot be explained is refused before anything
    else begins. Raises EarwitnessError where it cannot be, or model or packages are not to be had.
    """
    require_packages(run.task)
    drop_stale_originals(run.out)
    advance = progress.bar("input", 1)
    ((_, found),) = engine.compute(score.prepare, [run], run.out / LOG, 1)
    if isinstance(found, Exception):
        raise found
    for problem in found.problems:
        raise EarwitnessError(f"--{given.kind}: {problem.reason}")
    advance(1)
    (item,) = found.items[run.arguments.explainer_seeds[0]]
    return given.transcribed(item.fields())
