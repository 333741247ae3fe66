"""MusicCaps (Agostinelli et al. 2023, arXiv 2301.11325): captions of music clips; captions alone are read.

The dataset `google/MusicCaps` of the hub, or a local copy of its file `musiccaps-public.csv`, whose columns are ytid,
start_s, end_s, audioset_positive_labels, aspect_list, caption, author_id, is_balanced_subset, is_audioset_eval.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.subset import draw
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.datasets import PromptRecord
    from earwitness.datasets.captions import Line

FILE = "musiccaps-public.csv"
COLUMNS = Columns(key="ytid", caption="caption", cluster="ytid", split="is_audioset_eval")
SPLITS = {"test": {"true"}, "train": {"false"}, "all": {"true", "false"}}


def load(source: str, *, split: str = "test", items: int, seed: int = 0, revision: str = "main") -> list[PromptRecord]:
    """Records of a CSV file, of a folder that holds it, or of a hub id.

    `split` is `test` for the clips of AudioSet's evaluation set, `train` for the others, `all` for both. Raises
    EarwitnessError where the source cannot be read.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"MusicCaps has no split {split!r}; splits: {', '.join(SPLITS)}")
    path = Path(source)
    local = path.exists() or path.suffix == ".csv"
    lines = read_csv(path / FILE if path.is_dir() else path, COLUMNS) if local else _from_hub(source, revision)
    chosen = [line for line in lines if str(line[1][COLUMNS.split]).lower() in SPLITS[split]]
    return draw(source, list(records(source, chosen, COLUMNS)), items, seed)


def _from_hub(source: str, revision: str) -> list[Line]:
    from datasets import load_dataset

    try:
        table = load_dataset(source, revision=revision, split="train")
    except Exception as error:
        raise EarwitnessError(
            f"cannot fetch the dataset {source!r} ({type(error).__name__}); without the hub, name a folder that holds "
            f"{FILE} as the task's dataset source"
        ) from error
    return list(enumerate(table, start=2))
