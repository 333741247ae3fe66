"""Folders of notes: a table of factors or estimates, how clips are dealt, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earwitness.datasets import ConceptRecord, notes, notes_table
from earwitness.errors import EarwitnessError, InvalidItemError

RATE = 16_000
SHORT: dict[str, Any] = {"seconds": 0.2, "folds": 2}
CLIPS = 12


def wave(hertz: float, level: float = 0.3, seconds: float = 0.25) -> np.ndarray:
    return np.asarray(level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE), dtype=np.float32)


def rows(count: int = CLIPS) -> list[list[str]]:
    """Of every three clips two are for training."""
    splits = ("train", "train", "test")
    return [[f"{index:02d}.wav", splits[index % 3], str(60 + index), f"-{index}.5"] for index in range(count)]


def write(folder: Path, lines: list[list[str]], header: str = "file,split,pitch,loudness") -> Path:
    (folder / "notes.csv").write_text("\n".join([header, *(",".join(line) for line in lines), ""]))
    return folder / "notes.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve clips, whose level tells which they are, and their table."""
    for index in range(CLIPS):
        soundfile.write(tmp_path / f"{index:02d}.wav", wave(440, 0.05 * (index + 1)), RATE)
    write(tmp_path, rows())
    return tmp_path


def levels(record: ConceptRecord) -> tuple[list[int], list[int]]:
    """Numbers of the training and test clips, heard from their level."""
    first, second = (
        [round(float(np.abs(clip).max()) / 0.05) - 1 for clip in part.audio(RATE)]
        for part in (record.train, record.test)
    )
    return first, second


def faults(records: list[ConceptRecord]) -> list[str]:
    """What is wrong with each record, empty where nothing is."""
    found = []
    for record in records:
        try:
            record.train.audio(RATE)
            record.test.audio(RATE)
            found.append("")
        except InvalidItemError as error:
            found.append(str(error))
    assert not any("\n" in each for each in found)
    return found


def test_a_table_gives_each_split_its_clips_with_their_factors(folder: Path) -> None:
    record = notes.load(str(folder), items=1, **SHORT)[0]
    train, test = levels(record)
    assert (train, test) == ([0, 1, 3, 4, 6, 7, 9, 10], [2, 5, 8, 11])
    assert {len(clip) for clip in record.train.audio(RATE)} == {3_200}
    assert record.train.factors["pitch"].tolist() == [60 + index for index in train]
    assert record.test.factors["loudness"].tolist() == [-(index + 0.5) for index in test]
    assert record.estimated == record.correlated == ()


def test_clips_are_dealt_to_items_that_share_none_and_another_seed_deals_otherwise(folder: Path) -> None:
    dealt = [levels(record) for record in notes.load(str(folder), items=2, **SHORT)]
    assert sorted(dealt[0][0] + dealt[1][0]) == [0, 1, 3, 4, 6, 7, 9, 10]
    assert sorted(dealt[0][1] + dealt[1][1]) == [2, 5, 8, 11]
    assert [len(part) for each in dealt for part in each] == [4, 2, 4, 2]
    assert dealt == [levels(record) for record in notes.load(str(folder), items=2, **SHORT)]
    assert dealt != [levels(record) for record in notes.load(str(folder), items=2, seed=1, **SHORT)]


def test_without_a_split_column_a_hash_of_the_name_deals_three_fifths_to_training(tmp_path: Path) -> None:
    write(tmp_path, [[f"{index}.wav", str(index)] for index in range(500)], "file,pitch")
    tried = {split: notes.load(str(tmp_path), split=split, items=1)[0] for split in ("validation", "test")}
    pitches = {split: set(record.test.factors["pitch"]) for split, record in tried.items()}
    train = set(tried["test"].train.factors["pitch"])
    assert train == set(tried["validation"].train.factors["pitch"])
    assert not train & (pitches["test"] | pitches["validation"])
    assert not pitches["test"] & pitches["validation"]
    assert [len(part) for part in (train, *pitches.values())] == pytest.approx([300, 100, 100], abs=30)


def test_a_file_keeps_its_split_when_others_are_added(tmp_path: Path) -> None:
    write(tmp_path, [[f"{index}.wav", str(index)] for index in range(100)], "file,pitch")
    few = set(notes.load(str(tmp_path), items=1)[0].test.factors["pitch"])
    write(tmp_path, [[f"{index}.wav", str(index)] for index in reversed(range(150))], "file,pitch")
    many = set(notes.load(str(tmp_path), items=1)[0].test.factors["pitch"])
    assert few == {pitch for pitch in many if pitch < 100}


def test_factors_may_be_some_of_the_columns(folder: Path) -> None:
    write(
        folder, [[*line, "a violin, of a sort".replace(",", "")] for line in rows()], "file,split,pitch,level,comment"
    )
    record = notes.load(str(folder), items=1, factors=["level"], **SHORT)[0]
    assert list(record.train.factors) == ["level"]


def test_factors_are_estimated_from_the_sound_and_marked_with_or_without_a_table(tmp_path: Path) -> None:
    for index in range(18):
        soundfile.write(tmp_path / f"{index}.flac", wave(220 * 2 ** (index / 12), 0.05 * (index + 1)), RATE)
    (tmp_path / "._0.flac").write_bytes(b"what another system left there")
    record = notes.load(str(tmp_path), items=1, factors="estimated", **SHORT)[0]
    assert record.estimated == tuple(record.train.factors) == ("pitch", "loudness", "brightness")
    for part, numbers in zip((record.train, record.test), levels(record), strict=True):
        assert part.factors["pitch"] == pytest.approx([57 + index for index in numbers], abs=0.11)
        assert part.factors["loudness"] == pytest.approx(
            [20 * np.log10(0.05 * (index + 1) / np.sqrt(2)) for index in numbers], abs=0.1
        )
    write(tmp_path, [[f"{index}.flac", ("train", "test")[index % 2]] for index in range(6)], "file,split")
    tabled = notes.load(str(tmp_path), items=1, factors="estimated", **SHORT)[0]
    assert levels(tabled) == ([0, 2, 4], [1, 3, 5])
    assert tabled.estimated == record.estimated


def test_a_clip_without_pitch_cannot_have_it_estimated(folder: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(4_000)
    soundfile.write(folder / "03.wav", noise, RATE)
    said = faults(notes.load(str(folder), items=1, factors="estimated", **SHORT))[0]
    assert said == f"{folder / '03.wav'}: no pitch is found in it; take it out of the folder or its table"


@pytest.mark.parametrize(
    ("sound", "rate", "said"),
    [
        (np.zeros(4_000), RATE, "silent: no sample exceeds 0.001 of full scale"),
        (np.sign(wave(440)), RATE, "clipped: "),
        (wave(440, seconds=0.1), RATE, "0.10 s long, and clips of 0.2 s are used; lower the dataset's seconds"),
        (wave(440), 8_000, "sampled at 8000 Hz, and the model hears 16000 Hz"),
        (np.stack([wave(440), wave(440)], 1), RATE, "2 channels; mix to one"),
        (None, RATE, "no such file; fetch it, or take its line out of the dataset"),
    ],
)
def test_a_clip_that_is_no_use_is_told_in_one_line_and_the_other_items_are_read(
    folder: Path, sound: np.ndarray | None, rate: int, said: str
) -> None:
    if sound is None:
        (folder / "05.wav").unlink()
    else:
        soundfile.write(folder / "05.wav", sound, rate)
    found = sorted(faults(notes.load(str(folder), items=2, **SHORT)))
    assert found[0] == ""
    assert found[1].startswith(f"{folder / '05.wav'}: ")
    assert said in found[1]


@pytest.mark.parametrize("cell", ["nan", "C4", "inf", ""])
def test_a_factor_that_is_no_number_is_told_with_its_line_and_the_other_items_are_read(folder: Path, cell: str) -> None:
    lines = rows()
    lines[5][2] = cell
    path = write(folder, lines)
    found = sorted(faults(notes.load(str(folder), items=2, **SHORT)))
    assert found == [
        "",
        f"{path}, line 7: factor pitch is {cell!r}, which is no finite number; write one, or take the line out",
    ]


def test_a_factor_with_one_value_in_an_items_clips_fails_that_item_alone(folder: Path) -> None:
    lines = rows()
    held = levels(notes.load(str(folder), items=2, **SHORT)[0])[1]
    for index in held:
        lines[index][2] = "60"
    write(folder, lines)
    assert faults(notes.load(str(folder), items=2, **SHORT)) == [
        "factor pitch has one value, 60, in the item's 2 test clips; lower the dataset's items, or leave the factor "
        "out",
        "",
    ]


def refused(folder: Path, **parameters: Any) -> str:
    with pytest.raises(EarwitnessError) as caught:
        notes.load(str(folder), **{"items": 1, **SHORT, **parameters})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_column_with_one_value_or_without_a_number_is_refused(folder: Path) -> None:
    path = write(folder, [[*line[:3], "-20"] for line in rows()])
    assert refused(folder) == (
        f"{path}: factor loudness has one value, -20, in all lines; leave it out of the dataset's factors"
    )
    write(folder, [[*line[:3], "loud"] for line in rows()])
    assert f"{path}: factor loudness holds no number, 'loud' in its first line" in refused(folder)


def test_fewer_clips_than_probe_folds_are_refused(folder: Path) -> None:
    assert refused(folder, folds=5) == (
        f"{folder}: 4 test clips where items = 1, and an item needs at least 5, the folds of a probe; add clips, or "
        "lower the dataset's items"
    )
    assert "8 train clips where items = 5" in refused(folder, items=5)
    assert "0 validation clips" in refused(folder, split="validation")
    write(folder, [])
    assert "0 train clips" in refused(folder)


def test_a_table_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    path = write(folder, rows(), "clip,split,pitch,loudness")
    assert refused(folder) == f"{path}: no column file; found clip, split, pitch, loudness"
    write(folder, rows(), "file,split,pitch,pitch")
    assert refused(folder) == f"{path}: two columns 'pitch'; take one out"
    write(folder, [line[:2] for line in rows()], "file,split")
    assert "no column of a factor" in refused(folder)
    write(folder, [*rows(), rows()[3]])
    assert refused(folder) == f"{path}, line 14: 03.wav stands in {path}, line 5; take one out"
    write(folder, [*rows(), ["", "train", "1", "2"]])
    assert f"{path}, line 14: no file" in refused(folder)
    write(folder, [*rows(), ["a.wav"]])
    assert f"{path}, line 14: 1 cells under a header of 4" in refused(folder)
    write(folder, [*rows(), ["a.wav", "", "1", "2"]])
    assert f"{path}, line 14: split is ''; write one of train, validation, test" in refused(folder)
    write(folder, [*rows(), ['"a.wav', "train", "1", "2"]])
    assert "not CSV" in refused(folder)
    path.write_bytes(b"file,pitch\n\xff,1\n")
    assert f"{path}, line 2: not UTF-8" in refused(folder)
    path.unlink()
    assert f"{path}: no such file; write there a table of file and factors, or set the dataset's factors to \"esti" in (
        refused(folder)
    )


def test_parameters_that_make_no_sense_are_refused(folder: Path, tmp_path: Path) -> None:
    assert "no column timbre; found file" in refused(folder, factors=["timbre"])
    assert """factors is a list of columns of notes.csv, or "estimated"; found 'pitch'""" in (
        refused(folder, factors="pitch")
    )
    assert "found split = 'train'" in refused(folder, split="train")
    assert refused(folder, items=0) == "parameter items must be greater than 0, not 0"
    assert refused(folder, folds=1) == "parameter folds must be greater than or equal to 2, not 1"
    assert refused(folder, seconds=0.0) == "parameter seconds must be greater than 0, not 0.0"
    assert "no such folder" in refused(folder / "absent")
    (tmp_path / "bare").mkdir()
    assert "bare: no audio (.flac, .wav, " in refused(tmp_path / "bare", factors="estimated")
    assert "found nothing; name another folder" in refused(tmp_path / "bare", factors="estimated")
    assert "factors names a column twice: pitch, Pitch" in refused(folder, factors=["pitch", "Pitch"])


def columns(folder: Path, header: str, cells: Callable[[int, list[str]], list[str]], **parameters: Any) -> list[str]:
    """Factors of a table whose lines are made of the plain ones."""
    write(folder, [cells(index, line) for index, line in enumerate(rows())], header)
    return list(notes.load(str(folder), items=1, **SHORT, **parameters)[0].train.factors)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_an_index_is_no_factor(folder: Path, name: str, number: int) -> None:
    header = f"{name},file,split,pitch,loudness"
    assert columns(folder, header, lambda index, line: [str(number + index), *line]) == ["pitch", "loudness"]


@pytest.mark.parametrize("index", ["{}.0", "{}.00", "{}e0"])
def test_an_index_that_pandas_made_floats_is_no_factor(folder: Path, index: str) -> None:
    header = ",file,split,pitch,loudness"
    assert columns(folder, header, lambda number, line: [index.format(number), *line]) == ["pitch", "loudness"]


@pytest.mark.parametrize("cell", ["6_1", "1_000.5", "0x3c", "60,5", "60 dB"])
def test_what_python_alone_takes_for_a_number_is_none(folder: Path, cell: str) -> None:
    lines = rows()
    lines[5][2] = f'"{cell}"'
    path = write(folder, lines)
    assert f"{path}, line 7: factor pitch is {cell!r}, which is no finite number; write one, or take the line out" in (
        faults(notes.load(str(folder), items=2, **SHORT))
    )


def test_hidden_folders_and_what_archives_leave_behind_hold_no_clips(folder: Path) -> None:
    (folder / "notes.csv").unlink()
    for hidden in (".cache", "__MACOSX", "sub/.trash"):
        (folder / hidden).mkdir(parents=True)
        (folder / hidden / "00.wav").write_bytes(b"what is none of the clips")
    assert len(notes_table.found_clips(folder)) == CLIPS


def test_empty_cells_at_the_ends_of_lines_are_no_factor(folder: Path) -> None:
    assert columns(folder, "file,split,pitch,loudness,,", lambda _, line: [*line, "", " "]) == ["pitch", "loudness"]
    assert columns(folder, "file,split,pitch,loudness", lambda _, line: [*line, "", ""]) == ["pitch", "loudness"]


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("note_id", "{index}", "note_id"),
        ("index", "{index}", "index"),
        ("family", "flute", "family"),
        ("", "{index}.5", "5, which has no name"),
        ("", "7", "5, which has no name"),
    ],
)
def test_another_column_is_a_factor_where_it_is_named_and_is_asked_for_where_it_is_not(
    folder: Path, name: str, cell: str, said: str
) -> None:
    lines = [[*line, cell.format(index=index)] for index, line in enumerate(rows())]
    path = write(folder, lines, f"file,split,pitch,loudness,{name}")
    assert refused(folder) == (
        f"{path}: is column {said} a factor? Name the columns that are in the dataset's parameters: factors = [...]; "
        "only pitch, loudness, brightness, attack are taken without"
    )
    assert list(notes.load(str(folder), items=1, factors=["pitch"], **SHORT)[0].train.factors) == ["pitch"]
    if name not in ("", "family"):
        assert list(notes.load(str(folder), items=1, factors=[name], **SHORT)[0].train.factors) == [name]


def test_names_of_columns_may_have_capitals_and_spaces(folder: Path) -> None:
    plain = levels(notes.load(str(folder), items=1, **SHORT)[0])
    write(folder, rows(), "\ufeffFile, Split ,Pitch,LOUDNESS")
    record = notes.load(str(folder), items=1, **SHORT)[0]
    assert list(record.train.factors) == ["pitch", "loudness"]
    assert levels(record) == plain


@pytest.mark.parametrize(
    ("train", "test"),
    [("Train", "Test"), (" training", "TEST "), ("train", "valid"), ("train", "dev"), ("train", "val")],
)
def test_a_split_is_what_a_person_means(folder: Path, train: str, test: str) -> None:
    plain = levels(notes.load(str(folder), items=1, **SHORT)[0])
    write(folder, [[line[0], {"train": train, "test": test}[line[1]], *line[2:]] for line in rows()])
    split = "test" if test.strip().lower() == "test" else test
    assert levels(notes.load(str(folder), items=1, split=split, **SHORT)[0]) == plain


@pytest.mark.parametrize("spelling", ["./{}", "{} ", ".//{}", "sub/../{}", ".\\{}", "link.wav", "{folder}/{}"])
def test_a_clip_under_two_names_is_refused_with_both_lines(folder: Path, spelling: str) -> None:
    (folder / "link.wav").symlink_to(folder / "00.wav")
    (folder / "sub").mkdir()
    path = write(folder, [*rows(), [spelling.format("00.wav", folder=folder), "test", "99", "-1"]])
    said = refused(folder)
    assert said.startswith(f"{path}, line 14: ")
    told = "stands in" if spelling not in ("link.wav", "{folder}/{}") else "is the same file as 00.wav of"
    assert said.endswith(f" {told} {path}, line 2; take one out")


def test_two_links_to_one_clip_are_refused_in_a_folder_too(folder: Path) -> None:
    (folder / "notes.csv").unlink()
    (folder / "link.wav").symlink_to(folder / "00.wav")
    assert refused(folder, factors="estimated") == (
        f"{folder / 'link.wav'}: link.wav is the same file as 00.wav of {folder / '00.wav'}; take one out"
    )


@pytest.mark.parametrize("spelling", ["./{}", ".\\{}", "sub/../{}"])
def test_the_spelling_of_a_path_changes_nothing_that_is_drawn(folder: Path, spelling: str) -> None:
    (folder / "sub").mkdir()
    plain = [levels(record) for record in notes.load(str(folder), items=2, **SHORT)]
    write(folder, [[spelling.format(line[0]), *line[1:]] for line in rows()])
    assert [levels(record) for record in notes.load(str(folder), items=2, **SHORT)] == plain


def test_accents_of_another_system_name_the_same_file(folder: Path) -> None:
    (folder / "05.wav").rename(folder / "e\u0301.wav")
    write(folder, [["\u00e9.wav" if line[0] == "05.wav" else line[0], *line[1:]] for line in rows()])
    assert faults(notes.load(str(folder), items=1, **SHORT)) == [""]


@pytest.mark.parametrize(
    ("factor", "values", "said"),
    [
        ("pitch", [220 * 2 ** (index / 12) for index in range(CLIPS)], "220 where MIDI numbers from 0 to 127 were"),
        ("loudness", range(40, 40 + CLIPS), "40 where dB below full scale from -120 to 0 were expected; an amplitude"),
        ("brightness", range(900, 900 + CLIPS), "900 where octaves above 1 kHz from -8 to 8 were expected; Hz?"),
        ("attack", range(5, 5 + CLIPS), "5 where base 10 logarithms of seconds from -6 to 2 were expected"),
    ],
)
def test_a_factor_in_other_units_is_refused(folder: Path, factor: str, values: Iterable[float], said: str) -> None:
    lines = [[*line[:2], str(value)] for line, value in zip(rows(), values, strict=True)]
    path = write(folder, lines, f"file,split,{factor}")
    assert refused(folder).startswith(f"{path}: factor {factor}: {said}")


def test_one_number_in_other_units_fails_its_item_alone(folder: Path) -> None:
    lines = rows()
    lines[5][2] = "440"
    path = write(folder, lines)
    assert sorted(faults(notes.load(str(folder), items=2, **SHORT))) == [
        "",
        f"{path}, line 7: factor pitch: 440 where MIDI numbers from 0 to 127 were expected; Hz? write 69 + 12 log2(Hz "
        "/ 440)",
    ]


@pytest.mark.parametrize("kind", ["mp3", "aiff", "au", "WAV"])
def test_every_kind_of_sound_that_is_read_is_found(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / f"a.{kind}", wave(440), RATE)
    (tmp_path / "gone.wav").symlink_to(tmp_path / "what is not there")
    (tmp_path / "readme.txt").write_text("no sound")
    found = notes_table.found_clips(tmp_path)
    assert [line.file for line in found] == [f"a.{kind}", "gone.wav"]
    assert len(notes.read_clip(found[0].path, RATE, 0.2)) == 3_200


def test_sound_that_is_not_read_is_named(folder: Path) -> None:
    (folder / "notes.csv").unlink()
    (folder / "a.m4a").write_bytes(b"what another program wrote")
    assert refused(folder, factors="estimated") == (
        f"{folder}: 1 files of sound that are not read, a.m4a; convert them: ffmpeg -i FILE converted.wav, or take "
        "them out"
    )
