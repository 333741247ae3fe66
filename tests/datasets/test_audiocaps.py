import hashlib
from pathlib import Path

import pytest

from earwitness.datasets import audiocaps
from earwitness.errors import EarwitnessError

HEADER = "audiocap_id,youtube_id,start_time,caption"
LISTED = audiocaps._ids(audiocaps.LISTS["audiogenx"])


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_the_published_table_is_read_by_split(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", ["7,abc,20,A dog  barks", '9,abc,20,"A man, then rain"', "4,xyz,0,Wind"])
    write(tmp_path / "val.csv", ["1,q,0,Birds"])
    found = audiocaps.load(str(tmp_path), items=10)
    assert [(record.id, record.prompt, record.cluster) for record in found] == [
        ("7", "A dog barks", "abc"),
        ("9", "A man, then rain", "abc"),
        ("4", "Wind", "xyz"),
    ]
    assert [record.id for record in audiocaps.load(str(tmp_path), split="val", items=10)] == ["1"]
    assert [record.id for record in audiocaps.load(str(tmp_path / "val.csv"), items=10)] == ["1"]


def test_a_row_without_caption_is_an_item_and_one_whose_video_is_gone_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", ["7,abc,20,", "9,,,Rain falls"])
    found = audiocaps.load(str(tmp_path), items=10)
    assert [(record.id, record.prompt, record.cluster) for record in found] == [
        ("7", "", "abc"),
        ("9", "Rain falls", "9"),
    ]


def test_the_captions_that_the_authors_of_audiogenx_take(tmp_path: Path) -> None:
    assert len(LISTED) == len(set(LISTED)) == 1000
    # No identity holds the list: another one would be another task.
    assert hashlib.sha256("\n".join(LISTED).encode()).hexdigest()[:16] == "4a52cdd22d9db06f"
    others = [f"other-{number},v,0,none of them" for number in range(50)]
    write(tmp_path / "test.csv", others + [f"{each},v{each},0,caption {each}" for each in sorted(LISTED)])
    found = audiocaps.load(str(tmp_path), items=1000, listed="audiogenx")
    assert [record.id for record in found] == list(LISTED)
    assert found[0].prompt == f"caption {LISTED[0]}"
    some = audiocaps.load(str(tmp_path), items=20, listed="audiogenx", seed=3)
    assert len(some) == 20
    assert {record.id for record in some} < set(LISTED)


@pytest.mark.parametrize(
    ("rows", "parameters", "message"),
    [
        (["1,a,0,x", "1,b,0,y"], {}, r"line 3: audiocap_id '1' stands in line 2 already"),
        ([",a,0,x"], {}, r"line 2: empty audiocap_id"),
        (
            ["1,a,0,x"],
            {"listed": "audiogenx"},
            r"1000 of the 1000 captions of the list 'audiogenx' are missing, \d+ first",
        ),
        (["1,a,0,x"], {"listed": "audiogen"}, "no list of captions is called 'audiogen'; did you mean 'audiogenx'"),
        (["1,a,0,x"], {"split": "dev"}, "no split 'dev'; splits: train, val, test"),
        (["1,a,0,x"], {"split": "val"}, r"val\.csv: no such file; download val\.csv of github\.com/cdjkim/audiocaps"),
        (["1,a,0"], {}, "line 2: 3 cells under a header of 4"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, rows: list[str], parameters: dict[str, str], message: str) -> None:
    write(tmp_path / "test.csv", rows)
    with pytest.raises(EarwitnessError, match=message):
        audiocaps.load(str(tmp_path), items=1, **parameters)
