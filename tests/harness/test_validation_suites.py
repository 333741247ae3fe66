"""The suites of adapters, judges, datasets and metrics: each fault is named, and what is right has none."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from earwitness import metrics, registry
from earwitness.datasets import PromptRecord
from earwitness.errors import EarwitnessError
from earwitness.harness.validation import datasets, judges
from earwitness.harness.validation import metrics as metric_suite
from earwitness.harness.validation.signatures import untaken
from earwitness.harness.validation.steps import Options, Step, report
from earwitness.harness.validation.subjects import find
from earwitness.metrics import MetricSpec
from earwitness.metrics.responses.prompt import TokenWeights
from earwitness.plugins import Adapter
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
    clock = iter([0.0, 3.0, 3.0, 3.0])
    monkeypatch.setattr("earwitness.harness.validation.steps.monotonic", lambda: next(clock))
    lines: list[str] = []
    report("task", "mine", [Step("one", list, ahead=2), Step("two", list)], lines.append)
    assert lines[1:] == ["[1/2] one", "that took 3 s; about 6 s more", "[2/2] two"]


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


def test_a_split_that_is_not_there_must_be_refused() -> None:
    def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[Any]:
        return records()[:items]

    (finding,) = datasets.validate(adapter(load), Options(), silent).findings
    assert finding.startswith("the split 'no such split' is read as if there were one")


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


def spec(function: Callable[..., float], low: float = 0.0, high: float = 1.0) -> MetricSpec:
    return MetricSpec(function.__name__, TokenWeights, "higher", (low, high), function)


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
    assert findings(metrics.get(name)) == ()
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
