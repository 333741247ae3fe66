"""Models of transformers and diffusers that lie in memory: scored as the folder is that they were read from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from diffusers import AudioLDM2Pipeline
from transformers import AutoModelForSpeechSeq2Seq, AutoTokenizer, MusicgenForConditionalGeneration

import earwitness
import earwitness.models.mel_vocoder
import earwitness.models.spectral_codec
from cut_tasks import cut
from earwitness import registry
from earwitness.errors import EarwitnessError
from earwitness.identity import of_files
from earwitness.models.pipeline_files import quiet_diffusers
from earwitness.models.pretrained_files import quiet
from earwitness.models.saving import save

ITEMS = 2
KEY = ["metric", "item", "generation_seed", "explainer_seed"]
TASKS = {
    "micro_prompt": cut("micro_prompt", ITEMS, "logit_kl_cf@top30"),
    "micro_speech": cut("micro_speech", ITEMS, "deletion_token@mean", "deletion_wer@mean+reference"),
    "micro_band": cut("micro_band", ITEMS, "tf_ap", steps=2),
}
"""With metrics that need no truth of the card's own model, which is not another model's."""


def read(id: str, folder: Path | None = None) -> Any:
    """The task's own model, or that of a copy of its folder, as its library reads it."""
    kind: Any = {
        "micro_prompt": MusicgenForConditionalGeneration,
        "micro_speech": AutoModelForSpeechSeq2Seq,
        "micro_band": AudioLDM2Pipeline,
    }[id]
    with quiet(), quiet_diffusers():
        return kind.from_pretrained(folder or registry.task(id).folder / "model")


def keyed(results: earwitness.Results) -> pd.DataFrame:
    return results.to_pandas().set_index(KEY).sort_index()


@pytest.fixture
def _few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prior of the band's items is the mean of as many clips as there are items."""
    monkeypatch.setattr("earwitness.scoring.band.truth.TRAINING", ITEMS)


@pytest.mark.usefixtures("_few_clips")
@pytest.mark.filterwarnings("ignore::UserWarning:transformers")
@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=[pytest.mark.slow] if id == "micro_band" else []) for id in TASKS]
)
def test_its_rows_are_those_of_its_folder_bit_for_bit(id: str, tmp_path: Path) -> None:
    task, model = TASKS[id], read(id)
    mine = keyed(earwitness.evaluate("random", task, model=model, items=ITEMS, out=tmp_path))
    theirs = keyed(earwitness.evaluate("random", task, items=ITEMS, out=tmp_path))
    assert set(mine["status"]) == {"ok"}, mine["reason"].unique()
    assert len(mine) == ITEMS * len(task.card.metrics)
    assert mine["value"].equals(theirs["value"])
    # A variant, since it was saved by another version, and of the model that was given.
    assert set(mine["task_hash"]).isdisjoint(theirs["task_hash"])


def test_a_model_that_was_changed_in_memory_is_the_one_that_is_scored(tmp_path: Path) -> None:
    task, model = TASKS["micro_prompt"], read("micro_prompt")
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(0.5)
    mine = keyed(earwitness.evaluate("random", task, model=model, items=1, out=tmp_path))
    theirs = keyed(earwitness.evaluate("random", task, items=1, out=tmp_path))
    assert not mine["value"].equals(theirs["value"])


@pytest.mark.filterwarnings("ignore::UserWarning:transformers")
@pytest.mark.parametrize("id", TASKS)
def test_where_it_was_read_is_no_part_of_what_it_is(id: str, tmp_path: Path) -> None:
    task = registry.task(id)
    copied = shutil.copytree(task.folder / "model", tmp_path / "copied")
    hashes = set()
    for name, model in (("here", read(id)), ("there", read(id, copied))):
        save(model, tmp_path / name, task.source(task.card.model.source), "main")
        hashes.add(of_files(tmp_path / name))
    assert len(hashes) == 1


def test_a_tokenizer_of_its_own_is_kept(tmp_path: Path) -> None:
    """A pipeline of transformers saves its tokenizer, and nothing of the card's model is put beside it."""
    folder = registry.task("micro_prompt").folder / "model"

    class Saved:
        def save_pretrained(self, place: Path) -> None:
            AutoTokenizer.from_pretrained(folder, eos_token="</mine>").save_pretrained(place)

    save(Saved(), tmp_path / "mine", str(folder), "main")
    assert "</mine>" in (tmp_path / "mine" / "tokenizer_config.json").read_text()


def test_what_cannot_be_saved_is_one_line(tmp_path: Path) -> None:
    class Full:
        def save_pretrained(self, place: Path) -> None:
            raise OSError("no space\nleft")

    with pytest.raises(EarwitnessError, match=r"^Full cannot be saved: OSError: no space left$"):
        earwitness.evaluate("random", "micro_prompt", model=Full(), items=1, out=tmp_path)
