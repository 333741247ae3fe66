"""One input of the user's own: what it is called, what seeds derive from, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import PromptRecord, SpeechRecord
from earwitness.datasets.own import OwnInput, load, own_audio, own_prompt
from earwitness.errors import EarwitnessError, InvalidItemError

RATE = 16_000


def written(path: Path, seed: int = 0) -> Path:
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, RATE), RATE)
    return path


def records(given: OwnInput) -> list[PromptRecord] | list[SpeechRecord]:
    return load("", split="test", items=1, seed=0, **given.parameters)


def test_a_prompt_is_one_record_without_truth() -> None:
    (record,) = records(own_prompt("A dog, loud!"))
    assert record == PromptRecord("own", "A dog, loud!", "own")
    assert own_prompt("A dog, loud!").slug.startswith("a-dog-loud-")
    assert own_prompt("../..").slug.count("/") == 0
    assert own_prompt("a dog").identity != own_prompt("a dog ").identity


def test_a_recording_is_the_same_input_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = own_audio(written(tmp_path / "a.wav")), own_audio(written(tmp_path / "b" / "a.wav"))
    assert first.identity == second.identity
    assert first.identity != own_audio(written(tmp_path / "b" / "a.wav", seed=1)).identity
    (record,) = records(first)
    assert isinstance(record, SpeechRecord)
    assert (record.reference, record.truth) == ("", None)
    assert record.audio(RATE).shape == (RATE,)


def test_a_transcript_stands_for_a_reference_that_is_not_given(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    assert own_audio(path).transcribed({"text": "turn on"}).reference == "turn on"
    assert own_audio(path, "turn off").transcribed({"text": "turn on"}).reference == "turn off"
    assert own_prompt("a dog").transcribed({"text": "turn on"}) == own_prompt("a dog")


def test_a_recording_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    (record,) = records(own_audio(written(tmp_path / "a.wav")))
    written(tmp_path / "a.wav", seed=1)
    assert isinstance(record, SpeechRecord)
    with pytest.raises(InvalidItemError, match="changed while it was explained"):
        record.audio(RATE)


@pytest.mark.parametrize("given", [OwnInput(), OwnInput(prompt="a dog", audio="a.wav")])
def test_neither_or_both_is_no_input(given: OwnInput) -> None:
    with pytest.raises(EarwitnessError, match="one of them"):
        records(given)
