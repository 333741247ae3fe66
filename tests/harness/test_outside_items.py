"""Items as files: what crosses into a box, and nothing of what scores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from fakes import NamedScoring, make_task
from safetensors.numpy import load_file

from earwitness.errors import EarwitnessError
from earwitness.handed_in import HandedIn, fresh_mark
from earwitness.harness import score
from earwitness.harness.outside.answering import asked_for
from earwitness.harness.outside.blank import write_blank
from earwitness.harness.outside.items import HandedOut, HandOut, hand_out, read_items
from in_process import InlineEngine

SEED = 7243096212870512347
WAVE = torch.linspace(-1.5, 1.5, 32)


class Scoring(NamedScoring):
    """Items whose ids hold the seed that they are drawn by, as those of made worlds do."""

    model = SimpleNamespace(device="cpu", sample_rate=16000, audio=lambda codes: WAVE[None])

    def names(self) -> list[str]:
        drawn = "" if self.setting.fresh is None else f"-{self.setting.fresh}"
        return [f"{name}{drawn}" for name in super().names()]

    def items(self, ids: Sequence[str] | None = None) -> Any:
        items, problems = super().items(ids)
        return [replace(item, prompt="a dog barks") for item in items], problems


@pytest.fixture(autouse=True)
def scoring(monkeypatch: pytest.MonkeyPatch) -> type[Scoring]:
    """The class of every scoring."""

    class Own(Scoring):
        pass

    monkeypatch.setattr(score, "load", Own)
    return Own


@pytest.fixture
def handed(tmp_path: Path, engine: InlineEngine) -> Any:
    """The document and the folder of a fake task's items."""
    task = make_task(tmp_path / "fake_task")
    return lambda **asked: hand_out(HandOut(task, tmp_path / "out", **{"items": 3, **asked}), engine)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_item_is_what_a_box_would_be_told_of_it_and_no_more(handed: Any, tmp_path: Path) -> None:
    document: HandedOut = handed()
    assert read_items(tmp_path / "out") == document
    items, _ = Scoring(SimpleNamespace(items=3, fresh=None, seed=0)).items()  # type: ignore[arg-type]
    for told, item in zip(document.items, items, strict=True):
        assert {"id": told.id, **told.fields} == item.fields()
        found = load_file(tmp_path / "out" / told.arrays)
        assert found.keys() == item.arrays().keys()
        assert all(np.array_equal(found[name], array) for name, array in item.arrays().items())
        assert set(told.model_dump()) == {"id", "fields", "arrays", "sound", "explanation"}
    named = {name for told in document.items for name in (told.arrays, told.sound)}
    assert files(tmp_path / "out") == {"items.json", *named}
    assert set(document.model_dump()) == {
        *("format", "task", "version", "title", "licence", "track", "question", "task_hash", "seed", "fresh", "count"),
        *("model", "items"),
    }


def test_a_sound_is_the_models_to_the_last_bit(handed: Any, tmp_path: Path) -> None:
    document = handed()
    wave, rate = soundfile.read(tmp_path / "out" / document.items[0].sound, dtype="float32")
    assert rate == document.model.sample_rate == 16000
    assert np.array_equal(wave, WAVE.numpy())


def test_the_seed_of_a_fresh_draw_is_not_told(handed: Any, tmp_path: Path) -> None:
    document = handed(fresh=SEED)
    assert [item.id for item in document.items] == ["fresh-00000", "fresh-00001", "fresh-00002"]
    assert document.fresh == fresh_mark(SEED)
    for path in (tmp_path / "out").rglob("*"):
        assert str(SEED) not in path.name
        assert not path.is_file() or str(SEED).encode() not in path.read_bytes()


def test_items_that_cannot_be_explained_are_not_handed_out(handed: Any, scoring: Any) -> None:
    scoring.problem = "item-001"
    document = handed()
    assert ([item.id for item in document.items], document.count) == (["item-000", "item-002"], 3)


def test_more_items_than_there_are_are_all_of_them(tmp_path: Path) -> None:
    task = make_task(tmp_path / "fake_task")
    assert [asked_for(task, items) for items in (None, 3, 1000)] == [40, 3, 40]


def test_a_folder_that_holds_something_is_left_alone(handed: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(EarwitnessError, match="out holds files; name a folder that is empty"):
        handed()
    assert files(tmp_path / "out") == {"mine"}


def test_what_a_stopped_call_left_is_written_again(handed: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "arrays").mkdir(parents=True)
    (tmp_path / "out" / "arrays" / "item-000.safetensors").write_bytes(b"half")
    assert load_file(tmp_path / "out" / handed().items[0].arrays)


def test_a_manifest_to_begin_with_names_what_was_handed_out(handed: Any, tmp_path: Path) -> None:
    document = handed(fresh=SEED, seed=2)
    write_blank(tmp_path / "mine", document)
    (own,) = HandedIn(tmp_path / "mine").manifest.sets
    assert own.draw == ("fake_task", document.task_hash, 2, fresh_mark(SEED))
    assert [item.id for item in own.items] == [item.id for item in document.items]
    assert HandedIn(tmp_path / "mine").digest
