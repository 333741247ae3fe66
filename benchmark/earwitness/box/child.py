"""The inside of a box: loads a copy of the model and the submission, explains what it is handed, meters the cost.

Run as `python -m earwitness.box.child READ_FD WRITE_FD PARENT_ID`. What the submission prints goes to this process's
stdout and stderr, frames go through descriptors of their own. Where PARENT_ID is 0 something else ends it in time.
"""

from __future__ import annotations

import math
import random
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earwitness import plugins, tracks
from earwitness.box import Answer, Brief, Cost, frames
from earwitness.box.devices import resolve
from earwitness.box.meter import Meter, Usage
from earwitness.box.orphan import end_with
from earwitness.errors import InvalidExplanationError, one_line
from earwitness.explaining.batches import at_most, room
from earwitness.models.redrawing import redraw
from earwitness.results.status import Status
from earwitness.submission import load_explainer, read_submission


@dataclass(frozen=True)
class Bench:
    """What explains: track, model, explainer."""

    track: tracks.Track
    model: Any
    explainer: Any


def main(read_from: int, write_to: int, parent: int) -> None:
    """Answer frames until the other side closes."""
    if parent:
        end_with(parent)
    torch.set_num_threads(1)
    try:
        brief = Brief(**frames.read(read_from).fields)
        bench = _set_up(brief)
    except Exception as error:
        traceback.print_exc()
        frames.write(write_to, frames.pack({"error": one_line(error)}, {}))
        return
    frames.write(write_to, frames.pack({"device": str(bench.model.device)}, {}))
    with at_most(brief.batch_size):
        _answer_frames(bench, read_from, write_to)


def _answer_frames(bench: Bench, read_from: int, write_to: int) -> None:
    meter = Meter(bench.model)
    while True:
        try:
            frame = frames.read(read_from)
        except frames.FrameError:
            return
        frames.write(write_to, _packed(answers(bench, meter, _items(bench.track, frame), frame.fields["seeds"])))


def _set_up(brief: Brief) -> Bench:
    """The model, then the submission, whose code finds nothing of what was done to the model in any frame above it."""
    model = _model(brief)
    brief = replace(brief, redrawn=(), redraw_seed=0)
    submission = read_submission(Path(brief.submission))
    explainer = load_explainer(submission.at(brief.budget) if brief.budget else submission, brief.track)
    return Bench(tracks.load(brief.track), model, explainer)


def _model(brief: Brief) -> Any:
    device = resolve(brief.device, str(brief.parameters.get("dtype", "")))
    entry = plugins.adapter("models", brief.adapter).entry
    with room("the model"):
        model = entry(brief.source, revision=brief.revision, device=device, **brief.parameters)
    if brief.redrawn:
        redraw(model.module, brief.redrawn, brief.redraw_seed)
    return model


def _items(track: tracks.Track, frame: frames.Frame) -> list[tracks.Item]:
    items = []
    for index, fields in enumerate(frame.fields["items"]):
        prefix = f"{index}/"
        arrays = {name[len(prefix) :]: array for name, array in frame.arrays.items() if name.startswith(prefix)}
        items.append(track.item.build(fields, arrays))
    return items


def answers(bench: Bench, meter: Meter, items: list[tracks.Item], seeds: list[int]) -> list[Answer]:
    """Answers for a batch; where the batch fails, each item is explained alone, so that one cannot spoil the others.

    `seeds` are those of the global generators, one an item.
    """
    try:
        return _explained(bench, meter, items, seeds[0])
    except Exception as error:
        traceback.print_exc()
        if len(items) > 1:
            pairs = zip(items, seeds, strict=True)
            return [answer for item, seed in pairs for answer in answers(bench, meter, [item], [seed])]
        status = Status.INVALID if isinstance(error, InvalidExplanationError) else Status.FAILED
        return [Answer(items[0].id, status, one_line(error), _share(meter.usage(), 1))]


def _explained(bench: Bench, meter: Meter, items: list[tracks.Item], seed: int) -> list[Answer]:
    _seed(seed)
    with meter, room(f"the explanation of {', '.join(item.id for item in items)}"):
        found = bench.explainer.explain_batch(bench.model, items)
        cost = _share(meter.usage(), len(items))
    if not isinstance(found, list | tuple) or len(found) != len(items):
        count = f"{len(found)} explanations" if isinstance(found, list | tuple) else type(found).__name__
        raise InvalidExplanationError(f"explain_batch must return {len(items)} explanations; found {count}")
    return [_answer(bench.track, item, explanation, cost) for item, explanation in zip(items, found, strict=True)]


def _answer(track: tracks.Track, item: tracks.Item, explanation: Any, cost: Cost) -> Answer:
    if not isinstance(explanation, track.explanation):
        found = "nothing" if explanation is None else type(explanation).__name__
        raise InvalidExplanationError(f"explain must return a {track.explanation.__name__}; found {found}")
    explanation.check(item)
    return Answer(item.id, Status.OK, "", cost, explanation.arrays())


def _share(usage: Usage, items: int) -> Cost:
    """Items of a batch share its cost evenly; a part of a sequence counts whole."""
    forwards, backwards = (math.ceil(round(count / items, 6)) for count in (usage.forwards, usage.backwards))
    return Cost(usage.seconds / items, forwards, backwards, usage.peak_bytes)


def _seed(seed: int) -> None:
    """Fix the global generators: an explainer that draws from them repeats itself, whatever ran before."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


def _packed(given: list[Answer]) -> bytes:
    fields = [
        {"item": answer.item, "status": answer.status, "reason": answer.reason, "cost": vars(answer.cost)}
        for answer in given
    ]
    arrays = {f"{i}/{name}": array for i, answer in enumerate(given) for name, array in answer.arrays.items()}
    return frames.pack({"answers": fields}, arrays)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
