"""Pushing results to the hub: rows, recipes and a card, in one commit; explanations where they are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError
from earwitness.hub.addresses import DATASETS, SCHEME, HubAddress, HubError, parse
from earwitness.hub.complaints import LOG_IN, complaints, no_bars
from earwitness.publishing.card import Dataset, card
from earwitness.results.folders import open_runs
from earwitness.results.held_out import mark_of
from earwitness.results.rows import RECIPE, read_run, write_table
from earwitness.results.task_hashes import parted
from earwitness.submission_card import anonymous_in, today

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.results.folders import StoredRun

FOLDER = "runs"
"""Of the dataset, in the layout of a folder of runs."""
RUN_NAME = re.compile(r"[a-z_][a-z0-9_]*__[a-z_][a-z0-9_]*__[0-9a-f]{8}")
_IN_REPOSITORY = re.compile(rf"{FOLDER}/([^/]+)/rows/[^/]+\.parquet")


@dataclass(frozen=True)
class Push:
    """What is pushed, and where to."""

    places: tuple[Path, ...]
    """Folders of runs, or of one run each."""
    to: HubAddress
    licence: str = "cc-by-4.0"
    public: bool = False
    """Whether a repository that is made by it can be read by all; one that is there stays as it is."""
    explanations: bool = False
    reveal_seeds: bool = False
    """Whether runs of fresh items may be pushed, whose rows tell their seed."""


@dataclass(frozen=True)
class Pushed:
    """What became of it."""

    address: str
    """With the commit."""
    runs: int


def target(text: str) -> HubAddress:
    """The dataset that `--to` names; raises HubError where it is no repository.

    >>> target("ann/results").text
    'hf://datasets/ann/results'
    """
    found = parse(text if text.startswith(SCHEME) else f"{SCHEME}{DATASETS}{text}")
    if found.kind != "dataset" or found.revision:
        raise HubError(f"{text!r}: results are a dataset, and pushed to its main branch; write --to USER/REPO")
    return found


def push(asked: Push) -> Pushed:
    """Push runs in one commit; a run that is there is replaced, others stay, and the card is written anew.

    Raises EarwitnessError where a run cannot be read or is not done, tells the seed of fresh items, or names authors
    who are anonymous as yet; HubError where there is no token, or the hub refuses.
    """
    runs = _runs(asked)
    api = _api(asked.to)
    with TemporaryDirectory(prefix="earwitness-push-") as temporary, complaints(asked.to, "pushing to it"), no_bars():
        api.create_repo(asked.to.repository, repo_type="dataset", private=not asked.public, exist_ok=True)
        there = api.list_repo_files(asked.to.repository, repo_type="dataset")
        files = _staged(runs, asked, Path(temporary))
        files["README.md"] = card(_described(asked, runs, there)).encode()
        done = _commit(api, asked, files, len(runs))
    return Pushed(asked.to.at(done).text, len(runs))


def _runs(asked: Push) -> list[StoredRun]:
    """The runs, each of them whole."""
    runs, unread = open_runs(asked.places)
    if unread:
        raise EarwitnessError(f"{unread[0].reason} (nothing was pushed)")
    if not runs:
        raise EarwitnessError(f"{', '.join(map(str, asked.places))}: no run is there; name folders of runs")
    for run in runs:
        if run.recipe.get("state") != "done":
            raise EarwitnessError(f"{run.folder} is not done; run the same command to finish it, or leave it out")
        if not RUN_NAME.fullmatch(str(run.recipe.get("run", ""))):
            raise EarwitnessError(f"{run.folder}: its {RECIPE} names no run; run it again, or leave it out")
        hashes = run.rows["task_hash"].unique().to_pylist()
        if any(mark_of(text) for text in hashes):
            raise EarwitnessError(f"{run.folder} is of held-out items, and its rows tell which; leave it out")
        fresh = any(parted(text).fresh is not None for text in hashes)
        if fresh and not asked.reveal_seeds:
            raise EarwitnessError(
                f"{run.folder} is of fresh items, and its rows tell their seed; add --reveal-seeds where nobody is to "
                "answer for them any more"
            )
        if anonymous_in(run.recipe, today()):
            raise EarwitnessError(f"{run.folder}: its {RECIPE} names authors who are not to be named yet; leave it out")
    return runs


def _api(to: HubAddress) -> Any:
    """The hub's client, logged in; raises HubError where there is no token, or the hub is not to be asked."""
    from huggingface_hub import HfApi, constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise HubError(f"{to.text}: HF_HUB_OFFLINE is set; unset it to push")
    if get_token() is None:
        raise HubError(f"{to.text}: there is no token to push with; {LOG_IN}")
    return HfApi()


def _staged(runs: Sequence[StoredRun], asked: Push, folder: Path) -> dict[str, Path | bytes]:
    """What is uploaded, by its path in the repository: nothing of a run but its rows, its recipe, its explanations."""
    files: dict[str, Path | bytes] = {}
    for run in runs:
        name = str(run.recipe["run"])
        path = folder / f"{name}.parquet"
        # In today's schema, as one file: `datasets` reads files of one schema alone.
        write_table(read_run(run.folder), path)
        files[f"{FOLDER}/{name}/rows/rows.parquet"] = path
        files[f"{FOLDER}/{name}/{RECIPE}"] = (run.folder / RECIPE).read_bytes()
        if asked.explanations:
            parts = sorted((run.folder / "explanations").glob("[!.]*.safetensors"))
            files |= {f"{FOLDER}/{name}/explanations/{part.name}": part for part in parts if not part.is_symlink()}
    return files


def _described(asked: Push, runs: Sequence[StoredRun], there: Sequence[str]) -> Dataset:
    """What the card speaks of: what is there already, and what comes."""
    recipes = {str(run.recipe["run"]): run.recipe for run in runs}
    former = {found.group(1) for path in there if (found := _IN_REPOSITORY.fullmatch(path))}
    names = {*recipes, *(name for name in former if RUN_NAME.fullmatch(name))}
    explained = asked.explanations or any("/explanations/" in path for path in there)
    return Dataset(asked.to.repository, asked.licence, tuple(sorted(names)), recipes, explained)


def _commit(api: Any, asked: Push, files: dict[str, Path | bytes], runs: int) -> str:
    """Upload the files in one commit, and return its name."""
    from huggingface_hub import CommitOperationAdd

    additions = [
        CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
        for path, content in files.items()
    ]
    message = f"{runs} run{'' if runs == 1 else 's'} of Earwitness"
    done = api.create_commit(asked.to.repository, additions, commit_message=message, repo_type="dataset")
    return str(done.oid)
