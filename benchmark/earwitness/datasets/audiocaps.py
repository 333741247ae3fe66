"""AudioCaps (Kim et al. 2019, N19-1011): captions of clips of AudioSet; captions alone are read.

Its tables `train.csv`, `val.csv` and `test.csv`, published at github.com/cdjkim/audiocaps, have the columns
audiocap_id, youtube_id, start_time, caption; each of the 975 clips of `test.csv` has five captions. No sound is asked
for, so that a clip whose video is gone serves as well as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from earwitness.datasets import PromptRecord
from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.folders import as_path
from earwitness.datasets.subset import Items, Seed, draw, validated
from earwitness.errors import EarwitnessError, nearest

COLUMNS = Columns(key="audiocap_id", caption="caption", cluster="youtube_id")
SPLITS = ("train", "val", "test")
LISTS = {"audiogenx": "audiocaps_audiogenx.txt"}
"""Files beside this one with the ids of captions that a publication takes, by the list's name: `audiogenx` are the
1,000 of the test split that the authors of AudioGenX (arXiv 2502.00459) evaluate on (data/test/test.csv of their
repository, hjkng/audiogenX)."""


@validated
def load(source: str, *, split: str = "test", items: Items, seed: Seed = 0, listed: str = "") -> list[PromptRecord]:
    """Records of a CSV file, or of a folder that holds `<split>.csv`, white space in captions folded.

    A cluster is a clip: captions of one are not independent. `listed` names the captions of a publication, in the
    order of its list. Raises EarwitnessError, naming file and line, where the table cannot be read or has an id twice,
    and where a listed caption is missing from it.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"AudioCaps has no split {split!r}; splits: {', '.join(SPLITS)}")
    path = as_path(source)
    path = path if path.suffix.lower() == ".csv" else path / f"{split}.csv"
    if not path.exists():
        raise EarwitnessError(
            f"{path}: no such file; download {split}.csv of github.com/cdjkim/audiocaps (dataset/{split}.csv) there, "
            "or name the folder that holds it as the task's dataset source"
        )
    found = [_clustered(record) for record in records(str(path), read_csv(path, COLUMNS), COLUMNS)]
    return draw(str(path), _listed(str(path), found, listed) if listed else found, items, seed)


def _clustered(record: PromptRecord) -> PromptRecord:
    """A record whose cluster is its clip, or itself where no clip is named any more."""
    return record if record.cluster else replace(record, cluster=record.id)


def _listed(where: str, found: Sequence[PromptRecord], name: str) -> list[PromptRecord]:
    """The records that a list names, in its order; raises EarwitnessError where one is missing."""
    if name not in LISTS:
        raise EarwitnessError(f"no list of captions is called {name!r}; {nearest(name, LISTS, 'lists')}")
    by_id, wanted = {record.id: record for record in found}, _ids(LISTS[name])
    missing = [each for each in wanted if each not in by_id]
    if missing:
        raise EarwitnessError(
            f"{where}: {len(missing)} of the {len(wanted)} captions of the list {name!r} are missing, {missing[0]} "
            "first; take the published table, which keeps captions whose videos are gone"
        )
    return [by_id[each] for each in wanted]


@cache
def _ids(file: str) -> tuple[str, ...]:
    lines = files(__package__).joinpath(file).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))
