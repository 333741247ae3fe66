"""The spoken world as a dataset: files hold what a rendering gives, and faults are one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from earwitness.datasets import spoken
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.commands import TRANSLATIONS
from earwitness.worlds.espeak import SAMPLE_RATE
from earwitness.worlds.spoken import utterance

ITEMS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio")
    spoken.write_audio(path, "test", ITEMS)
    return path


@pytest.mark.parametrize("target", spoken.TARGETS)
def test_files_hold_the_utterances_that_are_rendered(folder: Path, target: str) -> None:
    kept = spoken.load(str(folder), items=ITEMS, target=target)
    made = spoken.load(items=ITEMS, target=target)
    for one, other in zip(kept, made, strict=True):
        assert (one.id, one.reference, one.cluster, one.truth) == (
            other.id,
            other.reference,
            other.cluster,
            other.truth,
        )
        assert np.array_equal(one.audio(SAMPLE_RATE), other.audio(SAMPLE_RATE))


def test_a_translation_has_the_spoken_word_of_each_of_its_words() -> None:
    for record in spoken.load(items=ITEMS, target="translation", split="validation"):
        assert record.truth is not None
        spoken_words = [word.text for word in record.truth.words]
        rendered = [TRANSLATIONS[spoken_words[i]] for i in record.truth.source_of]
        assert record.reference == " ".join(rendered)
        assert record.truth.source_of[-1] == 0


def test_clusters_are_sentences_crossed_with_speakers() -> None:
    clusters = [record.cluster for record in spoken.load(items=ITEMS)]
    said = [utterance("test", index) for index in range(ITEMS)]
    assert clusters == [f"{one.text} × {one.voice.name.partition('+')[2]}" for one in said]


def test_another_seed_draws_other_items_with_other_names() -> None:
    first, second = spoken.load(items=3), spoken.load(items=3, seed=7)
    assert not {record.id for record in first} & {record.id for record in second}
    assert [record.reference for record in first] != [record.reference for record in second]


def test_an_unknown_split_or_target_and_another_sample_rate_are_refused(folder: Path) -> None:
    with pytest.raises(EarwitnessError, match="no split 'dev'; splits: train, validation, test"):
        spoken.load(split="dev", items=1)
    with pytest.raises(EarwitnessError, match="no target 'german'; targets: words, translation"):
        spoken.load(target="german", items=1)
    for source in ("", str(folder)):
        with pytest.raises(InvalidItemError, match="16000 Hz, and the model hears 8000 Hz"):
            spoken.load(source, items=1)[0].audio(8000)


def test_a_folder_that_is_no_use_says_why(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="is no index of spoken commands"):
        spoken.load(str(tmp_path), items=1)
    with pytest.raises(EarwitnessError, match="holds the split test, not train"):
        spoken.load(str(folder), split="train", items=1)
    with pytest.raises(EarwitnessError, match=f"holds {ITEMS} utterances, not {ITEMS + 1}"):
        spoken.load(str(folder), items=ITEMS + 1)
    index = json.loads((folder / spoken.INDEX).read_text(encoding="utf-8"))
    del index["utterances"][0]["words"]
    (tmp_path / spoken.INDEX).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(EarwitnessError, match="has a broken utterance"):
        spoken.load(str(tmp_path), items=1)


def test_a_damaged_file_spoils_its_own_item_alone(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "test-00000.flac").write_bytes(b"")
    broken, whole = spoken.load(str(tmp_path), items=2)
    with pytest.raises(InvalidItemError, match="empty: the file has no bytes"):
        broken.audio(SAMPLE_RATE)
    assert len(whole.audio(SAMPLE_RATE)) > SAMPLE_RATE / 2
