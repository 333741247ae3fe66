import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    with pytest.raises(EarwitnessError) as error:
        musiccaps.load("google/MusicCaps", items=1)
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith("cannot fetch the dataset 'google/MusicCaps' at revision 'main' from the hub (")
    assert said.endswith(
        "; without the hub, name a folder that holds musiccaps-public.csv as the task's dataset source"
    )


def hub(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    monkeypatch.setattr("datasets.load_dataset", answer)


def fails(*errors: BaseException) -> Callable[..., Any]:
    """A hub that raises the first of the errors, caused by the next."""

    def load_dataset(*_: object, **__: object) -> None:
        for error, cause in itertools.pairwise(errors):
            error.__cause__ = cause
        raise errors[0]

    return load_dataset


def named(name: str, base: type[Exception] = Exception) -> Exception:
    return type(name, (base,), {})("two\nlines")


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([named("RevisionNotFoundError")], "(RevisionNotFoundError): name a revision that the repository has; "),
        (
            [named("DatasetNotFoundError"), named("GatedRepoError")],
            "(GatedRepoError): ask for access on its page and log in: huggingface-cli login; ",
        ),
        (
            [named("DatasetNotFoundError")],
            "(DatasetNotFoundError): name a dataset and a revision of the hub, or log in",
        ),
        (
            [ConnectionError("no way (OfflineModeIsEnabled)")],
            "(OfflineModeIsEnabled): HF_HUB_OFFLINE is set: unset it; ",
        ),
        ([ConnectionError("far")], "(ConnectionError): is this machine offline? connect it to the hub, or try again; "),
        ([named("ConnectTimeout", OSError)], "(ConnectTimeout): is this machine offline? "),
        ([ValueError("no split\ntrain")], "(ValueError): no split train; "),
    ],
)
def test_a_hub_error_names_repository_and_revision_its_kind_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, errors: list[Exception], said: str
) -> None:
    hub(monkeypatch, fails(*errors))
    with pytest.raises(EarwitnessError) as caught:
        musiccaps.load("owner/name", items=1, revision="v2")
    start = "cannot fetch the dataset 'owner/name' at revision 'v2' from the hub "
    assert str(caught.value).startswith(start + said)
    assert "\n" not in str(caught.value)


def test_the_hub_is_asked_for_the_revision_and_its_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def load_dataset(name: str, **parameters: object) -> list[dict[str, object]]:
        asked.update(parameters, name=name)
        return [{"ytid": ytid, "caption": caption, key: True} for ytid, caption in texts]

    key = "is_audioset_eval"

    texts = [("a", "loud\u2028drums"), ("b", None)]
    hub(monkeypatch, load_dataset)
    found = musiccaps.load("owner/name", items=9, revision="v2")
    assert [(record.id, record.prompt) for record in found] == [("a", "loud drums"), ("b", "")]
    assert asked == {"name": "owner/name", "revision": "v2", "split": "train"}
    key = "evaluated"
    with pytest.raises(EarwitnessError, match=r"'v2' has no column is_audioset_eval; found ytid, caption, evaluated"):
        musiccaps.load("owner/name", items=9, revision="v2")


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1", "0"), ("yes", "no"), (" True", "False "), ("TRUE", "FALSE"), ("on", "off"), ("1.0", "0.0"), ("t", "f")],
)
def test_a_truth_value_may_be_written_in_many_ways(tmp_path: Path, yes: str, no: str) -> None:
    path = write(tmp_path / "x.csv", [row("a", "one", yes), row("b", "two", no)])
    for split, ids in (("test", ["a"]), ("train", ["b"]), ("all", ["a", "b"])):
        assert [record.id for record in musiccaps.load(str(path), split=split, items=9)] == ids


@pytest.mark.parametrize("cell", ["", " ", "nan", "2", "maybe"])
def test_a_clip_of_no_split_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "x.csv", [row("a", "two\nlines"), row("b", "two", cell)])
    for split in ("test", "train"):
        with pytest.raises(EarwitnessError, match=r"x\.csv, line 4: is_audioset_eval is .*; write True or False"):
            musiccaps.load(str(path), split=split, items=9)
    assert len(musiccaps.load(str(path), split="all", items=9)) == 2


def test_all_clips_are_read_where_no_column_tells_of_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.csv", ["a,one", "b,two"], header="YTID,Caption")
    assert [record.id for record in musiccaps.load(str(path), split="all", items=9)] == ["a", "b"]
    with pytest.raises(EarwitnessError, match="no column is_audioset_eval; found ytid, caption"):
        musiccaps.load(str(path), split="test", items=9)
    hub(monkeypatch, lambda *_, **__: [{"ytid": "a", "caption": "one"}])
    assert [record.id for record in musiccaps.load("owner/name", split="all", items=9)] == ["a"]


def test_a_source_may_begin_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "x.csv", [row("a", "one")])
    assert [record.id for record in musiccaps.load("~/x.csv", items=9)] == ["a"]


@pytest.mark.parametrize("caption", ["", "  \u00a0 "])
def test_a_caption_without_words_stays_to_be_seen(tmp_path: Path, caption: str) -> None:
    path = write(tmp_path / "x.csv", [row("a", "one"), row("b", caption)])
    assert [(record.id, record.prompt) for record in musiccaps.load(str(path), items=9)] == [("a", "one"), ("b", "")]


def test_names_of_columns_may_have_spaces_around_them(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [row(" a ", "one")], header="\ufeff" + HEADER.replace(",", " , "))
    assert [(record.id, record.cluster) for record in musiccaps.load(str(path), items=9)] == [("a", "a")]
