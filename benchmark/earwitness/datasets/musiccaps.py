"""MusicCaps (Agostinelli et al. 2023, arXiv 2301.11325): captions of music clips; captions alone are read.

The dataset `google/MusicCaps` of the hub, or a local copy of its file `musiccaps-public.csv`, whose columns are ytid,
start_s, end_s, audioset_positive_labels, aspect_list, caption, author_id, is_balanced_subset, is_audioset_eval.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from earwitness.datasets import PromptRecord
from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.cells import as_flag
from earwitness.datasets.folders import as_path
from earwitness.datasets.subset import Items, Seed, draw, validated
from earwitness.errors import EarwitnessError, short
from earwitness.extras import not_installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.datasets.captions import Line

FILE = "musiccaps-public.csv"
COLUMNS = Columns(key="ytid", caption="caption", cluster="ytid", split="is_audioset_eval")
SPLITS = {"test": (True,), "train": (False,), "all": (True, False)}
ADVICE = {
    "RevisionNotFoundError": "name a revision that the repository has",
    "RepositoryNotFoundError": "name a dataset of the hub, or log in if it is private",
    "GatedRepoError": "ask for access on its page and log in: huggingface-cli login",
    "DatasetNotFoundError": "name a dataset and a revision of the hub, or log in if it is gated or private",
    "BadRequestError": "name a dataset and a revision of the hub",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set: unset it",
    "HFValidationError": "name a dataset of the hub, owner/name",
}
"""What to do, by the kind of the hub's error."""
OFFLINE = "is this machine offline? connect it to the hub, or try again"


@validated
def load(
    source: str,
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    revision: Annotated[str, Field(min_length=1)] = "main",
) -> list[PromptRecord]:
    """Records of a CSV file, of a folder that holds it, or of a hub id at a `revision` of its repository.

    `split` is `test` for the clips of AudioSet's evaluation set, `train` for the others, `all` for both, for which no
    column needs to tell. Raises EarwitnessError where the source cannot be read, or a line does not tell whether its
    clip is of the evaluation set and the split asks for it.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"MusicCaps has no split {split!r}; splits: {', '.join(SPLITS)}")
    columns, path = (replace(COLUMNS, split="") if split == "all" else COLUMNS), as_path(source)
    local = path.exists() or path.suffix == ".csv"
    path = path / FILE if path.is_dir() else path
    lines = read_csv(path, columns) if local else _from_hub(source, revision, columns)
    where = str(path) if local else source
    return draw(source, list(records(where, _of(split, where, lines), COLUMNS)), items, seed)


def _of(split: str, where: str, lines: Sequence[Line]) -> list[Line]:
    """The lines of a split; raises EarwitnessError where one does not tell which it is of."""
    if split == "all":
        return list(lines)
    return [line for line in lines if _evaluated(where, line) in SPLITS[split]]


def _evaluated(where: str, line: Line) -> bool:
    number, row = line
    cell = str(row[COLUMNS.split]).strip()
    evaluated = as_flag(cell)
    if evaluated is None:
        raise EarwitnessError(f"{where}, line {number}: {COLUMNS.split} is {cell[:40]!r}; write True or False")
    return evaluated


def _from_hub(source: str, revision: str, columns: Columns) -> list[Line]:
    """Lines of a dataset of the hub; raises EarwitnessError, naming repository and revision, where there is none."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise not_installed("datasets", "musiccaps") from error
    try:
        table = load_dataset(source, revision=revision, split="train")
    except Exception as error:
        kind, advice = _advice(error)
        raise EarwitnessError(
            f"cannot fetch the dataset {source!r} at revision {revision!r} from the hub ({kind}): {advice}; without "
            f"the hub, name a folder that holds {FILE} as the task's dataset source"
        ) from error
    lines = list(enumerate(table, start=2))
    found = lines[0][1] if lines else columns.needed
    missing = [name for name in columns.needed if name not in found]
    if missing:
        raise EarwitnessError(
            f"the dataset {source!r} at revision {revision!r} has no column {', '.join(missing)}; found "
            f"{', '.join(found)}"
        )
    return lines


def _advice(error: BaseException) -> tuple[str, str]:
    """The kind of a hub's error, of its first cause that is known, and what to do."""
    chain = _chain(error)
    # `datasets` drops some causes and leaves their names in the error's text, in brackets.
    kinds = [*(type(cause).__name__ for cause in chain), *re.findall(r"\((\w+)\)", str(error))]
    known = next((kind for kind in kinds if kind in ADVICE), type(error).__name__)
    unreached = any(isinstance(cause, OSError) for cause in chain)
    return known, ADVICE.get(known) or (OFFLINE if unreached else short(str(error))[:120])


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and what caused it, the first cause first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found[::-1]
