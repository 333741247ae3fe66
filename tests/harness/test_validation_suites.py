"""The suites of adapters, judges, datasets and metrics: each fault is named, and what is right has none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from earwitness import metrics, registry
from earwitness.datasets import ConceptRecord, Notes, PromptRecord, SpeechRecord, SpeechTruth, Stretch
from earwitness.errors import EarwitnessError
from earwitness.harness.validation import datasets, judges, models
from earwitness.harness.validation import metrics as metric_suite
from earwitness.harness.validation.alike import plain
from earwitness.harness.validation.pace import Clock, in_words, paced
from earwitness.harness.validation.signatures import untaken
from earwitness.harness.validation.steps import Options, ReportNote, Step, report
from earwitness.harness.validation.subjects import find
from earwitness.harness.validation.work import Job, make
from earwitness.judges import Judge as JudgeInterface
from earwitness.metrics import MetricSpec, Response
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.responses.prompt import TokenWeights
from earwitness.plugins import Adapter
from earwitness.scoring.items import Items
from earwitness.tracks import lacks
from earwitness.tracks.prompt import PromptModel


def silent(line: str) -> None:
    """Say nothing."""


def adapter(entry: Callable[..., Any], **says: Any) -> Adapter:
    return Adapter("mine", __name__, entry, SimpleNamespace(**says))


def test_the_first_step_that_finds_something_ends_a_suite_and_the_rest_is_named() -> None:
    def breaks() -> list[str]:
        raise KeyError("width")

    steps = [Step("one", list), Step("two", breaks), Step("three", lambda: ["never"])]
    found = report("model", "mine", steps, silent)
    assert found.findings == ("two: it raises KeyError: 'width'",)
    assert (found.checked, found.unchecked) == (("one", "two"), ("three",))


def test_a_long_step_says_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 3.0, 3.0, 5.0, 5.0, 5.4])
    monkeypatch.setattr("earwitness.harness.validation.steps.monotonic", lambda: next(clock))
    lines: list[str] = []
    steps = [Step("one", list, ahead=2), Step("two", list), Step("three", list)]
    found = report("task", "mine", steps, lines.append)
    assert lines[1:] == [
        "[1/3] one",
        "that took 3 s; about 6 s more",
        "[2/3] two",
        "that took 2 s",
        "[3/3] three",
    ]
    assert found.seconds == pytest.approx((3, 2, 0.4))


def test_what_a_step_notes_is_no_finding() -> None:
    found = report("task", "mine", [Step("one", lambda: [ReportNote("a call took 1 s"), "it is wrong"])], silent)
    assert (found.findings, found.notes) == (("it is wrong",), ("a call took 1 s",))


def test_parameters_that_a_card_could_not_give_are_named() -> None:
    def entry(source: str, revision: str = "main", *, steps=5, guidance: float, **others: Any) -> None: ...

    assert list(untaken(entry, ("revision", "device"))) == [
        "parameter steps of entry has no annotation, by which values are checked; write its type",
        "parameter guidance of entry has no default; give it one",
        "entry takes *others: a misspelt parameter of a card would be lost; name each parameter",
    ]
    assert list(untaken(lambda source, revision: None, ("revision", "device"))) == [
        "<lambda> takes no device; add the parameter"
    ]


def test_a_method_that_an_adapter_lacks_is_named() -> None:
    whole = SimpleNamespace(**dict.fromkeys(PromptModel.__annotations__, 1))
    methods = [name for name in vars(PromptModel) if not name.startswith("_") and callable(getattr(PromptModel, name))]
    for name in methods:
        setattr(whole, name, len)
    assert lacks(PromptModel, whole) == []
    del whole.null_logits
    whole.guided = 3
    assert lacks(PromptModel, whole) == ["null_logits", "guided"]


def records(**changes: Any) -> list[PromptRecord]:
    plain = [{"id": f"item-{n}", "prompt": "a dog", "cluster": "dog"} for n in range(4)]
    plain[1] |= changes
    return [PromptRecord(**each) for each in plain]


def dataset(made: Callable[[int], list[Any]]) -> Adapter:
    def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[Any]:
        if split != "test":
            raise EarwitnessError("no such split")
        return made(seed)[:items]

    return adapter(load)


def test_a_dataset_that_keeps_its_contract_has_no_findings() -> None:
    assert datasets.validate(dataset(lambda _: records()), Options(), silent).findings == ()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda _: records(id="item-0"), "the id 'item-0' stands twice; ids are unique in a dataset"),
        (lambda _: records(prompt=" "), "prompt of a record must be a text that is not empty; found ' '"),
        (lambda _: [*records()[:1], 7], "record 1 is int and must be earwitness.datasets.PromptRecord"),
        (lambda _: [], "it has no records"),
        (lambda _: [7], "its records are int; a track has one of"),
    ],
)
def test_a_fault_of_a_dataset_is_named(made: Callable[[int], list[Any]], says: str) -> None:
    (finding,) = datasets.validate(dataset(made), Options(), silent).findings
    assert says in finding


def test_a_dataset_that_differs_from_call_to_call_is_named() -> None:
    counter = iter(range(100))
    found = datasets.validate(dataset(lambda _: records(prompt=f"a dog {next(counter)}")), Options(), silent).findings
    assert "the same call gives other records the second time" in found[0]


def speech(**changes: Any) -> list[SpeechRecord]:
    truth = SpeechTruth((Stretch("go", 0.0, changes.get("stop", 1.0)),), ((),), (0,))
    sound = changes.get("sound", lambda: np.full(8, 0.5, np.float32))
    return [SpeechRecord(f"item-{n}", "go", "mine", lambda _: sound(), truth) for n in range(4)]


def test_a_dataset_whose_sounds_are_the_same_twice_has_no_findings() -> None:
    report = datasets.validate(dataset(lambda _: speech()), Options(), silent)
    assert report.findings == ()
    assert re.fullmatch(r"looking at a record, sounds included, took \S+ ms", report.notes[0])


def test_an_estimate_counts_the_items_of_the_task_that_is_named() -> None:
    def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[Any]:
        if split != "test":
            raise EarwitnessError("no such split")
        return speech()[:items]

    report = datasets.validate(adapter(load), Options("micro_speech"), silent)
    assert "one for each of the 200 items of micro_speech takes about" in report.notes[0]


def test_a_sound_that_differs_in_its_last_bit_is_named() -> None:
    calls = iter(range(1000))
    near = np.nextafter(np.float32(0.5), np.float32(1))

    def sound() -> Any:
        return np.full(8, 0.5 if next(calls) < 7 else near, np.float32)

    # The four records of the first load and of the second are listened to in turn: the eighth sound is the last one's.
    found = datasets.validate(dataset(lambda _: speech(sound=sound)), Options(), silent).findings
    assert found == (
        "the same call gives other records the second time: audio of item-3; draw from the seed alone, and sort what "
        "is read from a folder",
    )


def test_truth_that_differs_is_named() -> None:
    stops = iter(np.linspace(1, 2, 100).tolist())
    (finding,) = datasets.validate(dataset(lambda _: speech(stop=next(stops))), Options(), silent).findings[:1]
    assert finding.startswith("the same call gives other records the second time: truth of item-0")


def test_factors_and_clips_of_notes_are_compared() -> None:
    def records(first: float) -> list[ConceptRecord]:
        notes = Notes(lambda _: [np.full(4, first, np.float32)], {"pitch": np.array([first])})
        return [ConceptRecord("one", "mine", notes, notes)]

    values = iter(np.linspace(0, 1, 100).tolist())
    found = datasets.validate(dataset(lambda _: records(next(values))), Options(), silent).findings
    assert "train, test, train clips, test clips of one" in found[0]


def test_two_seeds_may_draw_other_sounds() -> None:
    def made(seed: int) -> list[SpeechRecord]:
        return speech(sound=lambda: np.full(8, seed / 10, np.float32))

    assert datasets.validate(dataset(made), Options(), silent).findings == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": (1.0, math.nan)}, {"a": (1.0, math.nan)}, True),
        (np.zeros(2), np.zeros(2, np.float32), False),
        (np.array([0.0]), np.array([-0.0]), False),
        ([np.zeros(2), np.ones(3)], [np.zeros(2), np.ones(3)], True),
        (np.array(["a", None], object), np.array(["a", None], object), True),
        (SimpleNamespace(x=1), SimpleNamespace(x=2), False),
        (Stretch("a", 0, 1), Stretch("a", 0, 1), True),
        ({1, 2}, {2, 1}, True),
        (torch.ones(2), torch.ones(2), True),
    ],
)
def test_values_are_alike_to_the_last_bit(one: Any, other: Any, same: bool) -> None:
    assert (plain(one) == plain(other)) is same


def test_a_split_that_is_not_there_must_be_refused() -> None:
    def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[Any]:
        return records()[:items]

    (finding,) = datasets.validate(adapter(load), Options(), silent).findings
    assert finding.startswith("the split 'no such split' is read as if there were one")


def test_a_model_is_timed_and_told_for_the_items_of_the_tracks_small_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_model(model: Any) -> Iterator[str]:
        yield from () if model.generate(["x"]) == 1 and model.frames == 1 else ("it is wrong",)

    contract = SimpleNamespace(check_model=check_model, CALLS={"generate": "a generation", "logits": "a pass"})
    whole = SimpleNamespace(**dict.fromkeys(PromptModel.__annotations__, 1))
    for name in (name for name in vars(PromptModel) if not name.startswith("_")):
        setattr(whole, name, len)
    monkeypatch.setattr("earwitness.harness.validation.contracts.of", lambda track: contract)
    lines: list[str] = []

    def from_pretrained(source: str, *, revision: str = "main", device: str = "cpu") -> Any:
        return whole

    report = models.validate(adapter(from_pretrained), Options("somewhere", "prompt"), lines.append)
    assert report.findings == ()
    assert [line for line in lines if line.startswith("trying")] == ["trying generate, 1 of 13 methods"]
    # Nothing is said of a pass, since none was made.
    (note,) = report.notes
    assert re.fullmatch(
        r"a generation took \S+ ms; one for each of the 200 items of micro_prompt takes about \S+ m?s", note
    )


def test_making_items_is_timed_by_the_batch_that_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Small(Items[Any, Any]):
        @property
        def model(self) -> Any:
            clock[0] += 2.0
            return "read"

    clock = [0.0]

    def items(chunk: int, model: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
        clock[0] += 5.0
        return records()[:3], []

    task = registry.task("micro_prompt")
    job = Job(task, "cpu", tmp_path)
    originals: Any = SimpleNamespace(chunk_of=lambda index: index // 3, items=items, seeded=lambda item, seed: item)
    monkeypatch.setattr("earwitness.harness.score.load", lambda setting: Small(setting, records(), originals))
    monkeypatch.setattr("earwitness.harness.validation.work.monotonic", lambda: clock[0])
    made = make(job)
    assert (made.reading, made.seconds, made.made, len(made.prepared.items[0])) == (2.0, 5.0, 3, 2)


class Judge:
    """Hears nothing in particular."""

    labels: Any = ("one", "two")
    sample_rate: Any = 8000

    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        return torch.stack([audio.mean(1), audio.square().mean(1)], 1)

    def probabilities(self, audio: torch.Tensor) -> torch.Tensor:
        return self.logits(audio).softmax(-1)

    def presence(self, audio: torch.Tensor) -> torch.Tensor:
        return self.logits(audio).sigmoid()


def judged(**changes: Any) -> tuple[str, ...]:
    judge: Any = type("Changed", (Judge,), changes)()

    def load(source: str, revision: str = "main", device: str = "cpu") -> Any:
        return judge

    return judges.validate(adapter(load), Options(), silent).findings


def test_a_judge_that_keeps_its_contract_has_no_findings() -> None:
    assert judged() == ()


def test_a_judge_is_timed_on_each_kind_of_answer() -> None:
    def load(source: str, revision: str = "main", device: str = "cpu") -> Judge:
        return Judge()

    lines: list[str] = []
    report = judges.validate(adapter(load), Options(), lines.append)
    assert [note.partition(" took ")[0] for note in report.notes] == [
        f"{name} of a clip of 2 s" for name in ("logits", "probabilities", "presence")
    ]
    assert [line for line in lines if line.startswith("trying")] == [
        f"trying {name}, {n} of 3 methods" for n, name in enumerate(("logits", "probabilities", "presence"), 1)
    ]


def test_a_clock_leaves_the_first_call_of_several_out_and_other_attributes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([0.0, 9.0, 10.0, 11.0, 20.0, 23.0, 30.0, 30.5])
    monkeypatch.setattr("earwitness.harness.validation.pace.perf_counter", lambda: next(ticks))
    timed = Clock(Judge(), JudgeInterface, "cpu", silent)
    for _ in range(3):
        assert timed.logits(torch.zeros(1, 4)).shape == (1, 2)
    timed.presence(torch.zeros(1, 4))
    assert (timed.seconds("logits"), timed.seconds("presence"), timed.seconds("probabilities")) == (2.0, 0.5, None)
    assert timed.labels == Judge.labels


def test_how_far_it_is_is_told_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(np.arange(0, 20.0, 0.4).tolist())
    monkeypatch.setattr("earwitness.harness.validation.pace.monotonic", lambda: next(ticks))
    lines: list[str] = []
    assert list(paced("abcdefghij", 10, "letters read", lines.append)) == list("abcdefghij")
    assert lines == [
        "2 of 10 letters read; about 3.2 s more",
        "4 of 10 letters read; about 2.4 s more",
        "8 of 10 letters read; about 0.8 s more",
    ]


@pytest.mark.parametrize(
    ("seconds", "says"), [(2e-5, "0.02 ms"), (0.0996, "100 ms"), (0.1, "0.1 s"), (99, "99 s"), (6000, "1.7 h")]
)
def test_a_length_of_time_has_two_digits(seconds: float, says: str) -> None:
    assert in_words(seconds) == says


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": ("one", "one")}, "labels must differ; 1 stand twice"),
        ({"sample_rate": 8000.5}, "sample_rate must be a whole number of Hz above 0; found 8000.5"),
        ({"probabilities": lambda self, audio: self.presence(audio)}, "probabilities must sum to 1 over the classes"),
        ({"presence": lambda self, audio: self.logits(audio) - 1}, "presence must lie in [0, 1]; found -1 to"),
        ({"logits": lambda self, audio: audio.mean(1)[:, None]}, "logits must be [B, C] = [2, 2]; found [2, 1]"),
        ({"logits": lambda self, audio: torch.log(Judge().logits(audio))}, "logits of silence holds NaN or infinite"),
        ({"presence": lambda self, audio: torch.rand(2, 2)}, "presence of one sound differs the second time"),
        ({"presence": None}, "Changed has no presence (`earwitness.judges.Judge`)"),
    ],
)
def test_a_fault_of_a_judge_is_named(changes: dict[str, Any], says: str) -> None:
    assert judged(**changes)[0].startswith(says)


def spec(
    function: Callable[..., float], low: float = 0.0, high: float = 1.0, reads: type[Response] = TokenWeights
) -> MetricSpec:
    return MetricSpec(function.__name__, reads, "higher", (low, high), function)


def mean(weights: Any) -> float:
    """Mean weight.

    `weights` [F, N].

    >>> mean([[0.5, 0.7]])
    0.6
    """
    return float(np.mean(weights))


def doubled(weights: Any) -> float:
    """Mean weight, of an array that is doubled.

    >>> doubled(np.array([[0.25]]))
    0.5
    """
    weights *= 2
    return float(np.mean(weights))


def picky(weights: Any) -> float:
    """Mean weight of two frames.

    >>> picky([[0.5], [0.7]])
    0.6
    """
    first, second = np.asarray(weights)
    return float((first.mean() + second.mean()) / 2)


def silent_metric(weights: Any) -> float:
    """Mean weight of a large map.

    >>> silent_metric(np.ones((10, 10)))
    1.0
    """
    if np.size(weights) < 100:
        raise UndefinedError("the map is too small")
    return float(np.mean(weights))


def untold(weights: Any, *, top=1) -> float:
    """Mean weight."""
    return float(np.mean(weights))


def findings(metric: MetricSpec) -> tuple[str, ...]:
    return metric_suite.validate(metric, Options(), silent).findings


def test_the_faults_of_metrics_are_named() -> None:
    assert findings(spec(mean)) == ()
    assert findings(spec(mean, 0.0, 0.1))[0] == "it gives 0.6, and its range is 0 to 0.1"
    assert findings(spec(doubled))[0] == "it changes its arrays; copy them first"
    assert findings(spec(untold)) == ("parameter top has no annotation, by which values are checked; write its type",)
    assert findings(spec(mean, 1.0, 0.0)) == ("range must be (lowest, highest); found (1.0, 0.0)",)


def test_an_error_on_arrays_that_fit_is_named_with_their_shapes() -> None:
    (finding,) = findings(spec(picky))
    assert re.fullmatch(
        r"it raises ValueError: .*unpack.* on arrays that fit TokenWeights \(\[\d, \d\]\); raise `UndefinedError` .*",
        finding,
    )


def test_what_a_metric_was_tried_on_is_noted() -> None:
    (timed,) = metric_suite.validate(spec(mean), Options(), silent).notes
    assert re.fullmatch(r"a value took \S+ ms, on arrays of a few entries an axis", timed)
    found = metric_suite.validate(spec(silent_metric), Options(), silent)
    assert found.findings == ()
    assert found.notes == (
        "20 of 20 draws of TokenWeights leave it without a value, the first because: the map is too small",
        "not tried on arrays of TokenWeights that it has a value on",
    )


def test_a_response_of_which_no_arrays_are_drawn_is_said_plainly() -> None:
    class Elsewhere(Response):
        """Something that another package reads."""

        track = "prompt"

    found = metric_suite.validate(spec(mean, reads=Elsewhere), Options(), silent)
    assert found.findings == ()
    assert found.notes == (
        "not tried on arrays of Elsewhere: no arrays of Elsewhere are drawn (earwitness.scoring.prompt.draws)",
    )


def test_an_example_that_shows_an_error_is_not_tried_again() -> None:
    def shown(weights: Any) -> float:
        if np.min(weights) < 0:
            raise ValueError("negative")
        return float(np.mean(weights))

    shown.__doc__ = (
        "Mean.\n\n>>> shown([[0.5]])\n0.5\n>>> shown([[-1.0]])\nTraceback (most recent call last):\n"
        "ValueError: negative\n"
    )
    assert findings(spec(shown)) == ()


def test_an_example_that_comes_out_otherwise_is_named() -> None:
    def told(weights: Any) -> float:
        return float(np.mean(weights))

    told.__doc__ = "Mean weight.\n\n>>> told([[0.5]])\n0.6\n"
    (finding,) = findings(spec(told))
    assert finding == "its example comes out otherwise: told([[0.5]]) Expected: 0.6 Got: 0.5"
    told.__doc__ = "Mean weight."
    assert findings(spec(told)) == ("its docstring has no example; write one of known value: >>> told(...)",)


@pytest.mark.parametrize("name", sorted(metrics.all_metrics()))
def test_the_librarys_metrics_keep_their_contract(name: str) -> None:
    found = metric_suite.validate(metrics.get(name), Options(), silent)
    assert found.findings == ()
    assert found.notes[-1].startswith("a value took")
    assert math.isfinite(sum(end for end in metrics.get(name).range if math.isfinite(end)))


@pytest.mark.parametrize(
    ("target", "kind", "named"),
    [
        ("random", "", "submission"),
        ("micro_band", "", "task"),
        ("musicgen", "", "model"),
        ("earwitness.datasets.tones:load", "", "dataset"),
        ("earwitness.judges.cnn:load", "", "judge"),
        ("earwitness.models.musicgen:from_pretrained", "", "model"),
        ("earwitness.metrics.fidelity:fid_f", "", "metric"),
        ("earwitness.judges.cnn:load", "judge", "judge"),
        (str(registry.home("tasks") / "micro_band"), "", "task"),
    ],
)
def test_what_is_to_be_checked_is_known_by_what_is_there(target: str, kind: str, named: str) -> None:
    assert find(target, kind).kind == named


def test_a_folder_of_another_kind_than_is_said_is_refused() -> None:
    with pytest.raises(EarwitnessError, match="is a task, not a model; leave --kind out"):
        find(str(registry.home("tasks") / "micro_band"), "model")
