from pathlib import Path

import pytest

from earwitness.datasets import musiccaps
from earwitness.errors import EarwitnessError

HEADER = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval"


def write(path: Path, rows: list[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def row(ytid: str, caption: str, evaluation: str = "True") -> str:
    return f'{ytid},0,10,/m/04rlf,"[\'pop\']","{caption}",4,False,{evaluation}'


def test_a_folder_with_the_published_file_is_read(tmp_path: Path) -> None:
    write(tmp_path / musiccaps.FILE, [row("a", "A slow, sad  piano"), row("b", "two\nlines"), row("c", "x", "False")])
    found = musiccaps.load(str(tmp_path), items=10)
    assert [(record.id, record.prompt) for record in found] == [("a", "A slow, sad piano"), ("b", "two lines")]
    assert [record.id for record in musiccaps.load(str(tmp_path), split="train", items=10)] == ["c"]


def test_a_drawn_subset_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [row(f"id{i}", "a song") for i in range(50)])
    draws = [[record.id for record in musiccaps.load(str(path), items=5, seed=seed)] for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert len(draws[0]) == 5


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ["a,b"], header="ytid,text")
    with pytest.raises(EarwitnessError, match=r"x\.csv: no column caption, is_audioset_eval; found ytid, text"):
        musiccaps.load(str(path), items=1)


def test_a_duplicate_id_is_named_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [row("a", "one"), row("b", "two"), row("a", "three")])
    with pytest.raises(EarwitnessError, match=r"line 4: ytid 'a' stands in line 2 already"):
        musiccaps.load(str(path), items=1)


def test_bad_utf8_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER.encode() + b"\n" + row("a", "ok").encode() + b"\nb,0,10,,,caf\xe9,4,False,True\n")
    with pytest.raises(EarwitnessError, match=r"x\.csv, line 3: not UTF-8 \(byte 0xe9\)"):
        musiccaps.load(str(path), items=1)


def test_an_empty_table_and_an_unknown_split_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [])
    with pytest.raises(EarwitnessError, match="no items in this split"):
        musiccaps.load(str(path), items=1)
    with pytest.raises(EarwitnessError, match="no split 'dev'"):
        musiccaps.load(str(path), split="dev", items=1)


def test_a_hub_that_cannot_be_reached_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with pytest.raises(EarwitnessError, match="cannot fetch the dataset 'google/MusicCaps'") as error:
        musiccaps.load("google/MusicCaps", items=1)
    assert "\n" not in str(error.value)
