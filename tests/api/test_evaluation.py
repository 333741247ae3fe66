"""The Python face on the micro task of commands: explainers of every kind, results, and what bad input gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import Saliency

import earwitness
from cut_tasks import cut
from earwitness.errors import EarwitnessError, ModelError
from earwitness.harness import recipe, stages
from earwitness.results.rows import read_run
from earwitness.scoring import loading
from earwitness.scoring.speech.originals import SpeechOriginals
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel
from in_process import earwitness_here

TASK, ITEMS = "micro_speech", 2


@dataclass
class MyEven(SpeechExplainer):
    """Every cell alike."""

    level: float = 0.5

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        tokens = len(item.tokens)
        prefix = np.tril(np.full((tokens, tokens), self.level), -1)
        return SpeechMap(spectrogram=np.full((tokens, *item.features.shape), self.level), prefix=prefix)


class Silent:
    """Has every member of the interface and answers nothing."""

    def __init__(self, place: str) -> None:
        self.device = torch.device(place)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def found(out: Path) -> earwitness.Results:
    """An object, a submission by its id, and a class of captum's."""
    parts = [earwitness.evaluate(each, TASK, items=ITEMS, out=out) for each in (MyEven(), "random", Saliency)]
    return parts[0] + parts[1] + parts[2]


def test_the_face_is_small_and_says_what_there_is() -> None:
    assert set(dir(earwitness)) == {
        *("evaluate", "load_task", "load_model", "load_submission", "read_results", "Results", "__version__")
    }
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        _ = earwitness.evalute  # type: ignore[attr-defined]


def test_rows_of_every_kind_of_explainer_are_a_data_frame(found: earwitness.Results) -> None:
    frame = found.to_pandas()
    assert set(frame["submission"]) == {"my_even", "random", "saliency"}
    assert set(frame["isolation"]) == {"none"}
    assert not (frame["status"] == "failed").any(), frame[frame["status"] == "failed"]["reason"].unique()
    assert frame.groupby("submission")["item"].nunique().to_dict() == dict.fromkeys(
        ("my_even", "random", "saliency"), ITEMS
    )


def test_a_submissions_rows_are_those_of_the_command_line_but_for_costs(
    found: earwitness.Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("run", "--task", TASK, "--submission", "random", "--items", str(ITEMS), "--out", str(tmp_path))
    assert earwitness_here(list(asked), monkeypatch, capsys).code == 0
    (folder,) = tmp_path.glob("micro_*")
    mine = found.to_pandas()
    mine = mine[mine["submission"] == "random"]
    key = ["metric", "item", "generation_seed", "explainer_seed", "task_hash", "submission_hash", "metric_hash"]
    theirs = read_run(folder).to_pandas()
    both = mine.set_index(key)["value"].sort_index(), theirs.set_index(key)["value"].sort_index()
    assert both[0].equals(both[1])


def test_what_was_done_is_kept_and_a_changed_explainer_is_another(found: earwitness.Results, out: Path) -> None:
    before = len(list(out.glob("micro_*")))
    again = earwitness.evaluate(MyEven(), TASK, items=ITEMS, out=out)
    assert again.folders == found.folders[:1]
    assert len(list(out.glob("micro_*"))) == before


def test_originals_are_made_once_until_another_version_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make = SpeechOriginals.make

    def counted(self: Any, records: Any, model: Any) -> Any:
        made.append(len(records))
        return make(self, records, model)

    monkeypatch.setattr(SpeechOriginals, "make", counted)
    task = cut(TASK, 1, "deletion_token@mean")
    for level in (0.1, 0.2):
        earwitness.evaluate(MyEven(level), task, out=tmp_path)
    assert len(made) == 1
    (tmp_path / recipe.ORIGINALS / stages.STAMP).write_text("another version")
    earwitness.evaluate(MyEven(0.3), task, out=tmp_path)
    assert len(made) == 2


def test_two_are_compared_and_all_are_ranked_apart_from_boxed_rows(found: earwitness.Results) -> None:
    compared = found.compare("my_even", "random")
    assert {"task", "metric", "verdict", "first", "second"} <= set(compared.columns)
    assert set(compared["verdict"]) <= {"", "too few items", "not told apart"}
    ranking = found.ranking()
    assert set(ranking["submission"]) == {"my_even", "random", "saliency"}
    assert set(ranking["task"]) == {f"{TASK}~inline"}
    with pytest.raises(EarwitnessError, match="no task of these results is called 'x'"):
        found.ranking("x")


def test_the_ranking_is_a_table_of_latex(found: earwitness.Results) -> None:
    text = found.to_latex()
    assert text.count(r"\\") == 4
    assert r"micro\_speech\textasciitilde{}inline & " in text
    assert r"my\_even" in text


def test_an_item_is_seen_and_heard(found: earwitness.Results) -> None:
    item = found.to_pandas()["item"][0]
    shown = found.show(item)._repr_html_()
    assert "data:audio/" in shown
    assert "data:image/png" in shown
    with pytest.raises(EarwitnessError, match="no run has the item 'nothing'"):
        found.show("nothing")


def test_results_are_read_again(found: earwitness.Results, out: Path) -> None:
    assert set(earwitness.read_results(out).folders) == set(found.folders)
    with pytest.raises(EarwitnessError, match="no such folder of runs"):
        earwitness.read_results(out / "nothing")


def test_a_model_in_memory_is_a_variant_that_meets_no_other_rows(found: earwitness.Results, out: Path) -> None:
    model = earwitness.load_model(TASK)
    with torch.no_grad():
        next(iter(model.module.parameters())).mul_(1.001)
    mine = earwitness.evaluate(MyEven(), TASK, model=model, items=1, out=out).to_pandas()
    assert set(mine["task_hash"]).isdisjoint(found.to_pandas()["task_hash"])
    board = (found + earwitness.read_results(out)).ranking()
    assert len(set(board["task"])) == 2


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a number": (3, {}, "int is no explainer"),
    "another track's submission": ("daam", {}, "submission daam is of the track"),
    "items that are no number": (MyEven(), {"items": True}, "items is a whole number"),
    "zero items": (MyEven(), {"items": 0}, "items is a whole number, at least 1; found 0"),
    "a negative seed": (MyEven(), {"seed": -1}, "seed is a whole number, at least 0; found -1"),
    "no model": (MyEven(), {"model": torch.nn.Linear(1, 1)}, "Linear is no model of the track speech: it lacks"),
    "no folder": (MyEven(), {"model": "./nothing"}, "no such folder, and no id of the hub"),
    "another family": (MyEven(), {"model": Path("tasks/micro_prompt/model").resolve()}, "is a musicgen model"),
}


@pytest.mark.parametrize(("explainer", "more", "says"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(tmp_path: Path, explainer: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(EarwitnessError, match=says) as caught:
        earwitness.evaluate(explainer, TASK, out=tmp_path / "runs", **({"items": 1} | more))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "asked", "says"),
    [
        ("meta", "cpu", "the model lies on meta and device is cpu; move it to cpu, or load it there"),
        ("cuda:0", "cpu", "the model lies on cuda:0 and device is cpu; move it to cpu, or ask for its device (device="),
        ("cpu", "cuda", "the model lies on cpu and device is cuda; move it to cuda, or ask for its device (device="),
    ],
)
def test_a_model_on_another_device_is_refused_in_words(
    place: str, asked: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices are told by their names, so that no accelerator need be here."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    model = Silent(place)
    with pytest.raises(EarwitnessError, match=re.escape(says)) as caught:
        earwitness.evaluate(MyEven(), TASK, model=model, items=1, device=asked, out=tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("place", "asked"), [("cuda:0", "cpu"), ("cpu", "cuda"), ("meta", "cpu")])
def test_a_model_that_was_moved_since_is_refused_by_scoring(place: str, asked: str) -> None:
    model = Silent(place)
    task = earwitness.load_task(TASK).with_loaded_model(model, "Silent", "0")
    with pytest.raises(ModelError, match=f"the model lies on {place} and scoring runs on {asked}; move it"):
        loading.load_model(task, asked)
    assert loading.load_model(task, place) is model


def test_a_task_whose_data_one_lacks_says_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match=r"lacks data .*README.md says where to get it"):
        earwitness.evaluate(MyEven(), "whisper_librispeech", items=1, out=tmp_path)


def test_an_explainer_of_another_track_is_named(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="my_even is an explainer of the track speech, the task is of prompt"):
        earwitness.evaluate(MyEven(), "micro_prompt", items=1, out=tmp_path)
