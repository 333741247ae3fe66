import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import mustc
from earwitness.errors import EarwitnessError, InvalidItemError

SEGMENTS = [(0.0, 0.3, "ted_1.wav"), (0.4, 0.5, "ted_1.wav"), (0.1, 0.2, "ted_2.wav")]
ENGLISH = ["Hello.", "(Applause)", "Thank you."]
GERMAN = ["Hallo.", "(Applaus)", "Vielen\u2028 Dank."]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "en-de" / "data" / "tst-COMMON"
    (folder / "wav").mkdir(parents=True)
    (folder / "txt").mkdir()
    for name in ("ted_1.wav", "ted_2.wav"):
        soundfile.write(folder / "wav" / name, np.random.default_rng(0).normal(size=16000) / 9, 16000)
    entries = [f"- {{duration: {d}, offset: {o}, speaker_id: spk.1, wav: {wav}}}" for o, d, wav in SEGMENTS]
    text(tmp_path, "yaml").write_text("\n".join(entries) + "\n", encoding="utf-8")
    text(tmp_path, "en").write_text("\n".join(ENGLISH) + "\n", encoding="utf-8")
    text(tmp_path, "de").write_text("\n".join(GERMAN) + "\n", encoding="utf-8")
    return tmp_path


def text(corpus: Path, language: str) -> Path:
    return corpus / "en-de" / "data" / "tst-COMMON" / "txt" / f"tst-COMMON.{language}"


def refused(corpus: Path, **asked: str) -> str:
    with pytest.raises(EarwitnessError) as caught:
        mustc.load(str(corpus), items=9, **asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_published_folders_are_read(corpus: Path) -> None:
    found = mustc.load(str(corpus), items=9)
    assert [(record.id, record.reference, record.cluster) for record in found] == [
        ("ted_1_0", "Hallo.", "ted_1"),
        ("ted_1_1", "(Applaus)", "ted_1"),
        ("ted_2_0", "Vielen Dank.", "ted_2"),
    ]
    assert [len(record.audio(16000)) for record in found] == [4800, 8000, 3200]


def test_references_may_be_the_transcripts(corpus: Path) -> None:
    assert [record.reference for record in mustc.load(str(corpus), items=9, language="en")] == ENGLISH


def test_a_segment_that_ends_after_its_talk_costs_its_item_alone(corpus: Path) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("duration: 0.5, offset: 0.4", "duration: 0.7, offset: 0.4"))
    first, second, third = mustc.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"ted_1\.wav: its segment of 0\.4 to 1\.1 s ends after its 1 s"):
        second.audio(16000)
    assert len(first.audio(16000)) + len(third.audio(16000)) == 8000


def test_a_segment_without_a_translation_costs_its_item_alone(corpus: Path) -> None:
    text(corpus, "de").write_text("Hallo.\n\nDanke.\n", encoding="utf-8")
    _, second, third = mustc.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"tst-COMMON\.de, line 2: no text"):
        second.audio(16000)
    assert (third.id, third.reference) == ("ted_2_0", "Danke.")


def test_texts_and_segments_of_different_lengths_are_refused(corpus: Path) -> None:
    text(corpus, "de").write_text("Hallo.\n(Applaus)\n", encoding="utf-8")
    said = refused(corpus)
    assert said.startswith(f"{text(corpus, 'de')}: 2 lines for the 3 segments of tst-COMMON.yaml")


def test_a_missing_pair_or_text_is_named(corpus: Path) -> None:
    assert "no such folder; unpack MuST-C's en-fr there" in refused(corpus, pair="en-fr")
    assert f"{text(corpus, 'fr')}: no such file" in refused(corpus, language="fr")


TIMES = [".nan", ".inf", "-.inf", "1e400", "0:01.5", "1:30", "soon", "", "-0.1", "[1]"]


@pytest.mark.parametrize(
    ("key", "told"), [*(("offset", told) for told in TIMES), *(("duration", told) for told in [*TIMES, "0", "0.0"])]
)
def test_a_segment_without_a_time_costs_its_item_alone(corpus: Path, key: str, told: str) -> None:
    path, before = text(corpus, "yaml"), {"offset": "offset: 0.4", "duration": "duration: 0.5"}[key]
    path.write_text(path.read_text().replace(before, f"{key}: {told}"))
    first, second, third = mustc.load(str(corpus), items=9)
    assert (second.id, second.reference, second.cluster) == ("ted_1_1", "(Applaus)", "ted_1")
    with pytest.raises(InvalidItemError) as caught:
        second.audio(16000)
    said = str(caught.value)
    assert said.startswith(f"{path}, segment 2: a wav and its offset and duration in seconds were expected; found wav")
    assert "\n" not in said
    assert [len(record.audio(16000)) for record in (first, third)] == [4800, 3200]


@pytest.mark.parametrize(
    "entry", ["", "null", "7", "[]", "{duration: 0.5, offset: 0.4}", "{offset: 0, wav: }", "&a [*a]"]
)
def test_an_entry_that_names_no_sound_is_an_item_by_its_number(corpus: Path, entry: str) -> None:
    path = text(corpus, "yaml")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], f"- {entry}", lines[2], ""]))
    first, second, third = mustc.load(str(corpus), items=9)
    assert [record.id for record in (first, second, third)] == ["ted_1_0", "segment-2", "ted_2_0"]
    assert (second.cluster, second.reference) == ("segment-2", "(Applaus)")
    with pytest.raises(InvalidItemError, match=r"tst-COMMON\.yaml, segment 2: "):
        second.audio(16000)


def test_a_number_is_a_name_and_reads_as_it_is_written(corpus: Path) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("ted_2.wav", "010"))
    (path.parent.parent / "wav" / "ted_2.wav").rename(path.parent.parent / "wav" / "010")
    *_, last = mustc.load(str(corpus), items=9)
    assert (last.id, len(last.audio(16000))) == ("010_0", 3200)


def test_broken_yaml_is_placed(corpus: Path) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text() + "- {duration: 1.0, offset\n")
    assert refused(corpus).startswith(f"{path}, line 5: not YAML")
    path.write_text("duration: 1.0\n")
    assert "a list of segments was expected; found a mapping" in refused(corpus)


def test_yaml_that_asks_for_objects_is_not_obeyed(corpus: Path) -> None:
    made = corpus / "made"
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("ted_2.wav", f"!!python/object/apply:os.mkdir [{made}]"))
    *_, last = mustc.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"found wav a list, offset '0\.1', duration '0\.2'; mend it"):
        last.audio(16000)
    assert not made.exists()


def test_bad_utf8_is_placed(corpus: Path) -> None:
    text(corpus, "de").write_bytes(b"Hallo.\nGr\xfc\xdfe\nDanke.\n")
    assert refused(corpus) == f"{text(corpus, 'de')}, line 2: not UTF-8 (byte 0xfc); save it as UTF-8"


def bomb(levels: int = 40) -> str:
    """YAML in which every list holds the one before it nine times."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels))]
    return f"{{{', '.join(lines)}}}"


@pytest.mark.parametrize("place", ["entry", "wav", "offset", "key"])
def test_lists_of_lists_of_lists_cost_their_item_alone_and_no_time(corpus: Path, place: str) -> None:
    path, deep = text(corpus, "yaml"), bomb()
    lines = path.read_text().splitlines()
    lines[1] = {
        "entry": f"- {deep}",
        "wav": f"- {{wav: {deep}, offset: 0.4, duration: 0.5}}",
        "offset": f"- {{wav: ted_1.wav, offset: {deep}, duration: 0.5}}",
        "key": f"- {{? {deep} : 1, offset: 0.4, duration: 0.5}}",
    }[place]
    path.write_text("\n".join(lines))
    started = time.monotonic()
    first, second, third = mustc.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"segment 2: .* found (a mapping|wav a mapping|wav 'ted|offset)"):
        second.audio(16000)
    assert time.monotonic() - started < 2
    assert len(first.audio(16000)) + len(third.audio(16000)) == 8000


def test_a_key_that_is_written_twice_costs_its_item_alone(corpus: Path) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("offset: 0.4", "offset: 0.4, offset: 0.1"))
    first, second, third = mustc.load(str(corpus), items=9)
    with pytest.raises(InvalidItemError, match=r"found wav 'ted_1\.wav', offset written twice, in line 2, duration"):
        second.audio(16000)
    assert len(first.audio(16000)) + len(third.audio(16000)) == 8000


@pytest.mark.parametrize("nothing", ["null", "~", "", "''"])
def test_a_segment_without_a_file_is_no_file_of_that_name(corpus: Path, nothing: str) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("ted_2.wav", nothing))
    *_, last = mustc.load(str(corpus), items=9)
    assert last.id == "segment-3"
    with pytest.raises(InvalidItemError, match=r"found wav (nothing|''), offset"):
        last.audio(16000)


@pytest.mark.parametrize("ending", [".flac", ".FLAC", ".Wav", ".WAV"])
@pytest.mark.parametrize("told", ["ted_2.wav", "ted_2"])
def test_a_talk_may_lie_there_as_another_kind_of_file(corpus: Path, ending: str, told: str) -> None:
    path = text(corpus, "yaml")
    path.write_text(path.read_text().replace("ted_2.wav", told))
    talk = path.parent.parent / "wav" / "ted_2.wav"
    audio, rate = soundfile.read(talk)
    talk.unlink()
    soundfile.write(talk.with_suffix(ending), audio, rate)
    *_, last = mustc.load(str(corpus), items=9)
    assert (last.id, last.cluster, len(last.audio(16000))) == ("ted_2_0", "ted_2", 3200)


def test_a_talk_that_is_missing_is_named_as_the_list_names_it(corpus: Path) -> None:
    talk = text(corpus, "yaml").parent.parent / "wav" / "ted_2.wav"
    talk.unlink()
    with pytest.raises(InvalidItemError, match=r"ted_2\.wav: no such file"):
        mustc.load(str(corpus), items=9)[2].audio(16000)
