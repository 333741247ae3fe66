"""The suite of a judge: its entry, and its answers to silence and to noise."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING

from earwitness import registry
from earwitness.harness.validation.pace import Clock, in_words, paced
from earwitness.harness.validation.signatures import untaken
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.tracks import lacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from earwitness.judges import Judge
    from earwitness.plugins import Adapter

SECONDS = 2.0
ANSWERS = ("logits", "probabilities", "presence")


def validate(adapter: Adapter, options: Options, say: Say) -> Report:
    """Check a judge."""
    from earwitness.judges import Judge

    source = _source(options.source, adapter.name)
    built = SimpleNamespace(judge=None)

    def builds() -> Iterator[str]:
        built.judge = adapter.entry(source, revision="main", device=options.device)
        for name in lacks(Judge, built.judge):
            yield f"{type(built.judge).__name__} has no {name} (`earwitness.judges.Judge`)"

    steps = [
        Step("its entry and its parameters", lambda: _unlike_a_judges(adapter)),
        Step("reading it, and whether it has all that a judge has", builds),
        Step("its labels and its sample rate", lambda: wrong_labels(built.judge)),
        Step("its answers to silence and to noise, twice", lambda: wrong_answers(built.judge, options.device, say)),
    ]
    return report("judge", adapter.name, steps, say)


def _unlike_a_judges(adapter: Adapter) -> Iterator[str]:
    yield from untaken(adapter.entry, ("revision", "device"))
    names = list(inspect.signature(adapter.entry).parameters)[1:]
    for name in (name for name in names if name not in ("revision", "device")):
        yield f"{adapter.entry.__name__} takes {name}, and a card hands a judge source, revision and device alone"


def wrong_labels(judge: Judge) -> Iterator[str]:
    """What is wrong with a judge's labels and its sample rate."""
    labels = list(judge.labels)
    if len(labels) < 2 or not all(isinstance(label, str) and label for label in labels):
        yield f"labels must be two or more names of classes; found {labels[:5]}"
    if len(set(labels)) < len(labels):
        yield f"labels must differ; {len(labels) - len(set(labels))} stand twice"
    if isinstance(judge.sample_rate, bool) or not isinstance(judge.sample_rate, int) or judge.sample_rate <= 0:
        yield f"sample_rate must be a whole number of Hz above 0; found {judge.sample_rate!r}"


def wrong_answers(judge: Judge, device: str, say: Say) -> Iterator[str]:
    """What is wrong with a judge's answers to two seconds of silence and of noise; notes what hearing a clip takes."""
    import torch

    from earwitness.judges import Judge

    samples = round(SECONDS * judge.sample_rate)
    noise = torch.rand(samples, generator=torch.Generator().manual_seed(7)) - 0.5
    audio = torch.stack([torch.zeros(samples), noise]).to(device)
    timed = Clock(judge, Judge, device, say)
    for name in paced(ANSWERS, len(ANSWERS), "kinds of answers asked for", say):
        ask = getattr(timed, name)
        answers: Tensor = ask(audio)
        if tuple(answers.shape) != (2, len(judge.labels)):
            yield f"{name} must be [B, C] = [2, {len(judge.labels)}]; found {list(answers.shape)}"
        elif not torch.isfinite(answers).all():
            heard = "silence" if not torch.isfinite(answers[0]).all() else "noise"
            yield f"{name} of {heard} holds NaN or infinite values"
        elif not torch.equal(answers, ask(audio)):
            yield f"{name} of one sound differs the second time; put the module into eval mode"
        elif name != "logits":
            yield from _out_of_range(name, answers)
    for name in ANSWERS:
        seconds = (timed.seconds(name) or 0.0) / len(audio)
        yield ReportNote(f"{name} of a clip of {SECONDS:g} s took {in_words(seconds)}")


def _out_of_range(name: str, answers: Tensor) -> Iterator[str]:
    low, high, sums = float(answers.min()), float(answers.max()), answers.double().sum(1)
    if low < 0 or high > 1 + 1e-6:
        yield f"{name} must lie in [0, 1]; found {low:.3g} to {high:.3g}"
    elif name == "probabilities" and float((sums - 1).abs().max()) > 1e-3:
        yield f"probabilities must sum to 1 over the classes; found {', '.join(f'{float(each):.3g}' for each in sums)}"


def _source(source: str, name: str) -> str:
    """Where to read; of a task that is named instead, its judge of that adapter."""
    if source not in registry.task_ids():
        return source
    task = registry.task(source)
    return next((task.source(judge.source) for judge in task.card.judges if judge.adapter == name), source)
