"""MusicCaps (Agostinelli et al. 2023, arXiv 2301.11325): captions of music clips; captions alone are read.

The dataset `google/MusicCaps` of the hub, or a local copy of its file `musiccaps-public.csv`, whose columns are ytid,
start_s, end_s, audioset_positive_labels, aspect_list, caption, author_id, is_balanced_subset, is_audioset_eval.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from earwitness.datasets import PromptRecord
from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.subset import Items, Seed, draw
from earwitness.errors import EarwitnessError, short
from earwitness.extras import not_installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.datasets.captions import Line

FILE = "musiccaps-public.csv"
COLUMNS = Columns(key="ytid", caption="caption", cluster="ytid", split="is_audioset_eval")
SPLITS = {"test": (True,), "train": (False,), "all": (True, False)}
YES, NO = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f")
"""What programs write for a truth value, in lower case."""
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


def load(
    source: str,
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    revision: Annotated[str, Field(min_length=1)] = "main",
) -> list[PromptRecord]:
    """Records of a CSV file, of a folder that holds it, or of a hub id at a `revision` of its repository.

    `split` is `test` for the clips of AudioSet's evaluation set, `train` for the others, `all` for both. Raises
    EarwitnessError where the source cannot be read, or a line does not tell whether its clip is of the evaluation set.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"MusicCaps has no split {split!r}; splits: {', '.join(SPLITS)}")
    path = Path(source)
    local = path.exists() or path.suffix == ".csv"
    path = path / FILE if path.is_dir() else path
    lines = read_csv(path, COLUMNS) if local else _from_hub(source, revision)
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
    if cell.lower() not in YES + NO:
        raise EarwitnessError(f"{where}, line {number}: {COLUMNS.split} is {cell[:40]!r}; write True or False")
    return cell.lower() in YES


def _from_hub(source: str, revision: str) -> list[Line]:
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
    found = lines[0][1] if lines else COLUMNS.needed
    missing = [name for name in COLUMNS.needed if name not in found]
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
