from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import librispeech
from earwitness.errors import EarwitnessError, InvalidItemError

LINES = {
    ("1089", "134686"): ["1089-134686-0000 HE HOPED  THERE WOULD BE STEW", "1089-134686-0001 STUFF IT INTO YOU"],
    ("121", "121726"): ["121-121726-0000 ALSO A POPULAR CONTRIVANCE"],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for (speaker, chapter), lines in LINES.items():
        folder = tmp_path / "test-clean" / speaker / chapter
        folder.mkdir(parents=True)
        (folder / f"{speaker}-{chapter}.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for line in lines:
            soundfile.write(folder / f"{line.split()[0]}.flac", np.sin(np.arange(1600) / 9) / 2, 16000)
    return tmp_path


def transcript(corpus: Path) -> Path:
    return corpus / "test-clean" / "1089" / "134686" / "1089-134686.trans.txt"


def refused(corpus: Path, split: str = "test-clean") -> str:
    with pytest.raises(EarwitnessError) as caught:
        librispeech.load(str(corpus), split=split, items=9)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_published_folders_are_read(corpus: Path) -> None:
    found = librispeech.load(str(corpus), items=9)
    assert [(record.id, record.reference, record.cluster) for record in found] == [
        ("1089-134686-0000", "he hoped there would be stew", "1089"),
        ("1089-134686-0001", "stuff it into you", "1089"),
        ("121-121726-0000", "also a popular contrivance", "121"),
    ]
    assert all(record.audio(16000).shape == (1600,) and record.truth is None for record in found)


def test_a_subset_is_drawn_by_the_seed(corpus: Path) -> None:
    draws = {seed: [record.id for record in librispeech.load(str(corpus), items=2, seed=seed)] for seed in range(20)}
    assert all(len(drawn) == 2 for drawn in draws.values())
    assert len({tuple(drawn) for drawn in draws.values()}) == 3


def test_a_sound_that_is_missing_costs_its_item_alone(corpus: Path) -> None:
    (corpus / "test-clean" / "121" / "121726" / "121-121726-0000.flac").unlink()
    *_, last = librispeech.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"121-121726-0000\.flac: no such file"):
        last.audio(16000)


def test_a_missing_folder_says_what_to_unpack(corpus: Path) -> None:
    assert f"{corpus / 'test-other'}: no such folder; unpack LibriSpeech's test-other there" in refused(
        corpus, "test-other"
    )


def test_a_folder_without_transcripts_has_no_items(tmp_path: Path) -> None:
    (tmp_path / "test-clean").mkdir()
    assert "no items in this split" in refused(tmp_path)


@pytest.mark.parametrize(
    "line", ["1089-134686-0002", "1089-134686-0002   ", "1089-134686-0002 ...", "1089-134686-0002\t— ?"]
)
def test_an_utterance_without_words_costs_its_item_alone(corpus: Path, line: str) -> None:
    path = transcript(corpus)
    path.write_text(path.read_text() + line + "\n", encoding="utf-8")
    found = {record.id: record for record in librispeech.load(str(corpus), items=9)}
    with pytest.raises(InvalidItemError) as caught:
        found["1089-134686-0002"].audio(16000)
    assert str(caught.value) == (
        f"{path}, line 3: an utterance's id without words; write them, or leave its row invalid"
    )
    assert len(found["1089-134686-0001"].audio(16000)) == 1600


@pytest.mark.parametrize(
    "change", [("6-0000 ", "6-0000\t"), ("\n", "\r\n"), ("\n", "\n\n"), ("\n", "\n  \n"), (" HE", "  HE")]
)
def test_a_tab_other_line_ends_and_blank_lines_change_nothing(corpus: Path, change: tuple[str, str]) -> None:
    def read() -> list[tuple[str, str, int]]:
        records = librispeech.load(str(corpus), items=9)
        return [(record.id, record.reference, len(record.audio(16000))) for record in records]

    before, path = read(), transcript(corpus)
    path.write_bytes(path.read_text().replace(*change).encode())
    assert read() == before


@pytest.mark.parametrize("kind", [".wav", ".ogg", ".aiff"])
def test_sounds_may_be_of_another_kind_and_flac_goes_first(corpus: Path, kind: str) -> None:
    flac = corpus / "test-clean" / "121" / "121726" / "121-121726-0000.flac"
    soundfile.write(flac.with_suffix(kind), np.sin(np.arange(3200) / 9) / 2, 16000)
    *_, last = librispeech.load(str(corpus), items=9)
    assert len(last.audio(16000)) == 1600
    flac.unlink()
    *_, last = librispeech.load(str(corpus), items=9)
    assert len(last.audio(16000)) == 3200


@pytest.mark.parametrize("identifier", ["STEW", "x" * 300, "a/b", "/", "..", "naïve"])
def test_what_is_no_id_is_an_item_whose_sound_is_missing(corpus: Path, identifier: str) -> None:
    path = transcript(corpus)
    path.write_text(path.read_text() + f"{identifier} AND MORE\n", encoding="utf-8")
    found = {record.id: record for record in librispeech.load(str(corpus), items=9)}
    with pytest.raises(InvalidItemError, match="no such file"):
        found[identifier].audio(16000)
    assert len(found) == 4


def test_a_repeated_id_is_named_with_both_places(corpus: Path) -> None:
    path = corpus / "test-clean" / "121" / "121726" / "121-121726.trans.txt"
    path.write_text(path.read_text() + "1089-134686-0001 AGAIN\n")
    said = refused(corpus)
    assert (
        said
        == f"{path}, line 2: utterance '1089-134686-0001' stands in {transcript(corpus)}, line 2 already; take one out"
    )


def test_a_sound_without_a_line_in_any_transcript_is_an_item_that_is_no_use(corpus: Path) -> None:
    before = [record.id for record in librispeech.load(str(corpus), items=9)]
    folder = transcript(corpus).parent
    for place in ("1089-134686-0009.wav", "1089-134686-0009.flac", "a/x.WAV", "b/x.flac", "1089-134686-0000.ogg"):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).touch()
    found = librispeech.load(str(corpus), items=9)
    assert [record.id for record in found] == [*before, "1089-134686-0009", "x", "1089/134686/b/x"]
    for record, name in zip(found[-3:], ("1089-134686-0009", "a/x", "b/x"), strict=True):
        assert (record.reference, record.cluster) == ("", "1089")
        with pytest.raises(InvalidItemError) as caught:
            record.audio(16000)
        assert str(caught.value) == (
            f"{folder / name}: a sound without a line in any transcript; write one, or take the sound out"
        )


def test_a_folder_that_is_called_as_a_transcript_and_hidden_folders_cost_nothing(corpus: Path) -> None:
    before = [record.id for record in librispeech.load(str(corpus), items=9)]
    folder = transcript(corpus).parent
    (folder / "x.trans.txt").mkdir()
    for hidden in (".Trash", "__MACOSX"):
        (folder / hidden).mkdir()
        (folder / hidden / "1089-134686.trans.txt").write_text("1089-134686-0000 AGAIN\n")
        (folder / hidden / "more.wav").touch()
    assert [record.id for record in librispeech.load(str(corpus), items=9)] == before


@pytest.mark.parametrize("ending", [".FLAC", ".Flac", ".Wav"])
def test_sounds_may_end_in_capitals(corpus: Path, ending: str) -> None:
    flac = corpus / "test-clean" / "121" / "121726" / "121-121726-0000.flac"
    audio, rate = soundfile.read(flac)
    flac.unlink()
    soundfile.write(flac.with_suffix(ending), audio, rate)
    found = librispeech.load(str(corpus), items=9)
    assert (len(found), found[-1].audio(16000).shape) == (3, (1600,))


def test_bad_utf8_is_placed(corpus: Path) -> None:
    path = transcript(corpus)
    path.write_bytes(path.read_bytes() + b"1089-134686-0002 CAF\xe9\n")
    assert refused(corpus) == f"{path}, line 3: not UTF-8 (byte 0xe9); save it as UTF-8"


def test_transcripts_are_found_wherever_they_lie_and_lines_end_as_they_end(tmp_path: Path) -> None:
    split = tmp_path / "test-clean"
    for place, content in (
        ("1/2/1-2.trans.txt", b"1-2-0 HELLO\r1-2-1 WORLD\r"),
        ("3/3.TRANS.TXT", b"3-0 GO\r\n"),
        ("1/2/._1-2.trans.txt", b"\x00\x05\x16\x07\xff"),
    ):
        (split / place).parent.mkdir(parents=True, exist_ok=True)
        (split / place).write_bytes(content)
    found = librispeech.load(str(tmp_path), items=9)
    assert [(each.id, each.reference, each.cluster) for each in found] == [
        ("1-2-0", "hello", "1"), ("1-2-1", "world", "1"), ("3-0", "go", "3"),
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(EarwitnessError, match=r"no transcripts \(\*\.trans\.txt\) below it"):
        librispeech.load(str(tmp_path), split="empty", items=1)
