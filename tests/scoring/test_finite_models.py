"""A model whose answers are NaN or infinite is named as the fault, before anything is explained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import band_scoring_fakes
import concept_scoring_fakes
import scoring_fakes
import speech_scoring_fakes
from band_fakes import FakeBandModel
from concept_fakes import FakeConceptModel, fake_record
from earwitness import scoring
from earwitness.errors import ModelError
from earwitness.scoring import Setting, loading
from earwitness.task import Task
from speech_fakes import FakeSpeechModel


def spoiled(function: Callable[..., Any], value: float) -> Callable[..., Any]:
    """The function with one number of what it returns replaced."""

    def answer(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        array = found.mel if hasattr(found, "mel") else found
        array[(0,) * array.ndim] = value
        return found

    return answer


def prompts(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Task, Any, list[Any] | None]:
    return scoring_fakes.task(folder, [{"metric": "logit_kl_f"}]), scoring_fakes.FakeModel(), None


def speech(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Task, Any, list[Any] | None]:
    model = FakeSpeechModel()
    return speech_scoring_fakes.task(folder), model, speech_scoring_fakes.records(2, model)


def band(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Task, Any, list[Any] | None]:
    model = FakeBandModel()
    patch.setattr(
        "earwitness.scoring.band.truth.training_records",
        lambda setting: band_scoring_fakes.records(FakeBandModel(), 6, first=100),
    )
    return band_scoring_fakes.task(folder), model, band_scoring_fakes.records(model, 2)


def concept(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Task, Any, list[Any] | None]:
    model = FakeConceptModel()
    return concept_scoring_fakes.task(folder), model, [fake_record(model, 0, "plain")]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("track", "method"),
    [(prompts, "logits"), (speech, "encode"), (speech, "logits"), (band, "generate"), (concept, "encode")],
)
def test_the_run_stops_with_the_models_fault(
    track: Callable[..., tuple[Task, Any, list[Any] | None]],
    method: str,
    value: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, model, found = track(tmp_path / "task", monkeypatch)
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "check_parameters", lambda task: None)
    if found is not None:
        monkeypatch.setattr(loading, "load_records", lambda setting: found)
    monkeypatch.setattr(model, method, spoiled(getattr(model, method), value))
    opened = scoring.load(Setting(task, cache=tmp_path / "cache"))
    with torch.no_grad(), pytest.raises(ModelError, match="that are no finite numbers") as error:
        opened.items()
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").rglob("items-*.safetensors"))
