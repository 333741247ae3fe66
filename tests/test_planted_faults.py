"""The gate catches faults planted in explainers, and lets changes pass that change nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from earwitness import gate, registry
from earwitness.gate import CheckReport, Outcome
from earwitness.harness import inline, score
from earwitness.harness.engines.local import LocalEngine
from earwitness.harness.inline import Subject, run_object
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute
from earwitness.scoring import Setting, loading
from earwitness.task import Task
from gate_task import make_gate_task
from planted import FAULTS, REFACTORINGS, SUBMISSIONS, Change, changed, intact
from speech_fakes import FakeSpeechModel
from speech_scoring_fakes import records
from speech_scoring_fakes import task as speech_task

ITEMS = {"prompt": 48, "speech": 20}
QUICK_RULES = {
    "prompt": ("logit_kl_cf worse by >2% at p<0.05",),
    "speech": ("deletion_token worse by >0.01 at p<0.05",),
}
REAL_TASKS = {"prompt": "micro_prompt", "speech": "micro_speech"}
REAL_ITEMS = {"prompt": 100, "speech": 40}
REAL_RULES = {
    "prompt": ("logit_kl_*@top30 worse by >10% at p<0.05",),
    "speech": ("deletion_token@mean worse by >2% at p<0.05",),
}
REAL_METRICS = {
    "prompt": ("logit_kl_f@top30", "logit_kl_cf@top30"),
    "speech": ("deletion_token@mean",),
}


class Bench:
    """A task on which explainers are scored, each once."""

    def __init__(self, task: Task, out: Path, rules: tuple[str, ...]) -> None:
        self.task = task
        self.out = out
        self.rules = [gate.parse(rule) for rule in rules]
        self._intact: dict[str, pa.Table] = {}

    @property
    def track(self) -> str:
        return self.task.card.track

    def rows(self, explainer: object, change: Change, origin: str) -> pa.Table:
        run = run_object(Subject(explainer, change.submission, origin), self.task, Arguments(device="cpu"), self.out)
        return gate.read_rows([run])

    def baseline(self, change: Change) -> pa.Table:
        origin = f"{change.submission} {change.parameters}"
        if origin not in self._intact:
            self._intact[origin] = self.rows(intact(change, self.track), change, origin)
        return self._intact[origin]

    def check(self, change: Change) -> CheckReport:
        folder = self.out / re.sub(r"\W+", "_", change.title)
        rows = self.rows(changed(change, self.track, folder), change, change.title)
        report = gate.check(rows, self.baseline(change), self.rules)
        for verdict in report.verdicts:
            print(
                f"{self.task.id}: {change.title}: {change.submission} {verdict.metric}: {verdict.before:.3f} -> "
                f"{verdict.after:.3f}, effect {verdict.effect:+.3f} [{verdict.low:+.3f} {verdict.high:+.3f}], "
                f"p {verdict.p:.4f}, smallest {verdict.smallest:.3f}: {verdict.outcome} ({verdict.items} items)"
            )
        return report


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A tiny random text-to-audio model."""
    folder = tmp_path_factory.mktemp("prompt")
    return Bench(
        registry.task(str(make_gate_task(folder / "task", ITEMS["prompt"], ("logit_kl_cf",)))),
        folder / "out",
        QUICK_RULES["prompt"],
    )


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A fake speech model."""
    folder = tmp_path_factory.mktemp("speech")
    fake = FakeSpeechModel()
    metrics = [{"metric": "deletion_token", "parameters": {"fill": "mean"}}]
    task = speech_task(folder / "task", metrics, ITEMS["speech"])
    load_model, load_records = loading.load_model, loading.load_records

    def model_of(asked: Task, device: str) -> object:
        return fake if asked.id == task.id else load_model(asked, device)

    def records_of(setting: Setting) -> list[object]:
        return records(ITEMS["speech"], fake) if setting.task.id == task.id else load_records(setting)

    with pytest.MonkeyPatch.context() as patch:
        for module in (loading, inline):
            patch.setattr(module, "load_model", model_of)
        patch.setattr(loading, "load_records", records_of)
        yield Bench(task, folder / "out", QUICK_RULES["speech"])


def named(changes: dict[str, tuple[Change, ...]]) -> list[object]:
    return [
        pytest.param(track, change, id=f"{track}: {change.title}") for track in changes for change in changes[track]
    ]


@pytest.mark.parametrize(("track", "fault"), named(FAULTS))
def test_a_planted_fault_is_a_regression(track: str, fault: Change, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(track).check(fault)
    assert report.exit_code == 1
    assert Outcome.REGRESSION in {verdict.outcome for verdict in report.verdicts}


@pytest.mark.parametrize(("track", "change"), named(REFACTORINGS))
def test_a_change_that_changes_nothing_is_no_regression(
    track: str, change: Change, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(track).check(change)
    assert report.exit_code == 0
    assert all(abs(verdict.effect) < 0.01 * abs(verdict.before) for verdict in report.verdicts)


def by_engine(bench: Bench, workers: int, out: Path) -> pa.Table:
    """Rows of occlusion, explained in boxes and scored by that many processes."""
    submission = registry.submission(str(SUBMISSIONS / "occlusion"))
    (outcome,) = execute([Run(bench.task, submission, Arguments(device="cpu"), out)], LocalEngine(workers))
    assert outcome.done
    return gate.read_rows([outcome.run.folder])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_number_of_workers_changes_nothing(prompt: Bench, tmp_path: Path) -> None:
    inline_rows = prompt.baseline(Change("as it is", "occlusion"))
    one, two = (by_engine(prompt, workers, tmp_path / str(workers)) for workers in (1, 2))
    for rows, before in ((two, one), (one, inline_rows)):
        report = gate.check(rows, before, prompt.rules)
        assert report.exit_code == 0
        assert [verdict.effect for verdict in report.verdicts] == [0.0] * len(report.verdicts)


def real_bench(track: str, folder: Path) -> Bench:
    """The track's micro task with the metrics that the rules are about and some items: a study takes minutes."""
    name = REAL_TASKS[track]
    shelved = registry.task(name)
    shutil.copytree(shelved.folder, folder / name)
    path = folder / name / "task.toml"
    head, *metrics = path.read_text(encoding="utf-8").split("[[metrics]]")
    wanted = {f"{metric.id}": text for metric, text in zip(shelved.card.metrics, metrics, strict=True)}
    kept = [text for metric, text in wanted.items() if metric in REAL_METRICS[track]]
    head = re.sub(r"(?m)^items = \d+$", f"items = {REAL_ITEMS[track]}", head)
    head = re.sub(r'main_metric = ".*"', f'main_metric = "{REAL_METRICS[track][0]}"', head)
    path.write_text("[[metrics]]".join([head, *kept]), encoding="utf-8")
    return Bench(registry.task(str(folder / name)), folder / "out", REAL_RULES[track])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bench]:
    """The real micro task of a track."""
    found: dict[str, Bench] = {}

    def bench(track: str) -> Bench:
        if track not in found:
            score._OPENED.clear()
            found[track] = real_bench(track, tmp_path_factory.mktemp(track))
        return found[track]

    return bench


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("track", "fault"), named(FAULTS))
def test_a_fault_planted_on_a_real_model_is_caught(track: str, fault: Change, real: Callable[[str], Bench]) -> None:
    assert real(track).check(fault).exit_code == 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("track", "change"), named(REFACTORINGS))
def test_a_refactoring_on_a_real_model_passes(track: str, change: Change, real: Callable[[str], Bench]) -> None:
    report = real(track).check(change)
    assert {verdict.outcome for verdict in report.verdicts} == {Outcome.PASS}
