"""A dataset of another track is refused by name when its records are read."""

from pathlib import Path

import pytest

from earwitness import scoring
from earwitness.datasets import PromptRecord, SpeechRecord
from earwitness.errors import InvalidCardError
from earwitness.scoring import Setting, loading
from earwitness.scoring.items import records_of
from speech_scoring_fakes import broken
from speech_scoring_fakes import task as speech_task


def test_a_dataset_of_another_track_is_one_line_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = speech_task(tmp_path)
    monkeypatch.setattr(loading, "load_records", lambda setting: [PromptRecord("a", "a dog barks", "a")])
    monkeypatch.setattr(loading, "check_parameters", lambda task: None)
    with pytest.raises(InvalidCardError) as caught:
        scoring.load(Setting(task))
    assert str(caught.value) == (
        f"{tmp_path / 'task.toml'}: dataset.adapter: {task.card.dataset.adapter} gives PromptRecords, and the speech "
        "track explains SpeechRecords; choose a dataset of that track"
    )
    with pytest.raises(InvalidCardError, match="gives PromptRecords"):
        records_of(Setting(task), SpeechRecord)


def test_records_of_the_track_are_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [broken("a"), broken("b")]
    monkeypatch.setattr(loading, "load_records", lambda setting: found)
    assert records_of(Setting(speech_task(tmp_path)), SpeechRecord) is found
