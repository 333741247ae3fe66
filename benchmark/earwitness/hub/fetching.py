"""Fetching a submission from the hub into a plain folder, once for each commit, and finding it there again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from earwitness.errors import EarwitnessError, unwritten
from earwitness.hub.addresses import HubAddress, HubError
from earwitness.hub.complaints import complaints, no_bars
from earwitness.hub.files import ENDINGS, PAPERS, HubFile, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from earwitness.hub.files import Chosen

CACHE = "EARWITNESS_CACHE"
"""Environment variable that names the folder of what was fetched."""
RECORD = ".json"
"""Ending of what is known of a fetched folder, beside it."""
SECONDS = 10.0
"""In which the hub answers what it holds."""
DONE_OVER = "delete it and run the same command again"


class _Listed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    size: int
    blob: str = ""
    sha256: str = ""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    files: list[_Listed]
    left_out: list[str]


@dataclass(frozen=True)
class Fetched:
    """A repository at a commit, in a plain folder here."""

    source: str
    """Its address."""
    folder: Path
    left_out: tuple[str, ...]
    """Files that no submission has, pictures say."""


def cache_folder() -> Path:
    """Folder of what was fetched: `$EARWITNESS_CACHE`, or earwitness in the XDG cache folder."""
    given = os.environ.get(CACHE)
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given) if given else Path(home).expanduser() / "earwitness"


def fetch(address: HubAddress, card: str) -> Fetched:
    """The files that a submission may have of a repository at a commit, as plain files in a folder of their own.

    What was fetched before is taken from here, its hashes compared, without asking the hub. `card` is the file that
    must be there. Raises HubError where the address names no commit, the hub cannot be asked, or holds no submission.
    """
    if not address.pinned:
        raise HubError(f"{address.text}: {_which_commit(address)}")
    folder = cache_folder().resolve() / "hub" / f"{address.kind}--{address.repository.replace('/', '--')}"
    place = folder / address.revision
    if os.path.lexists(place):
        return _kept(place, address)
    what = _listing(address, card)
    _copied(address, what or _from_cache(address, card), place)
    return _kept(place, address)


def _which_commit(address: HubAddress) -> str:
    """Why a branch is not taken, and which commit it is at, where the hub says so."""
    named = f"{address.revision} may be another commit tomorrow" if address.revision else "no commit is named"
    try:
        with complaints(address, "asking for its commit"):
            sha = str(
                _api().repo_info(address.repository, repo_type=address.kind, revision=address.revision or None).sha
            )
    except HubError as error:
        reason = str(error).partition(": asking for its commit: ")[2]
        return f"{named}; pin one by its 40 hex digits, @COMMIT (which one it is now cannot be asked: {reason})"
    return f"{named}; it is at {sha} now: pin it as {address.at(sha).text}"


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi()


def _listing(address: HubAddress, card: str) -> Chosen | None:
    """What is to be fetched by the commit's listing; None where the hub is not to be asked."""
    from huggingface_hub import constants
    from huggingface_hub.hf_api import RepoFile

    if constants.HF_HUB_OFFLINE:
        return None
    api, asked = _api(), {"repo_type": address.kind, "revision": address.revision}
    with complaints(address, "asking what it holds"):
        # Answers or fails at once; listing tries for half a minute.
        api.repo_info(address.repository, timeout=SECONDS, **asked)
        entries = list(api.list_repo_tree(address.repository, recursive=True, **asked))
    return chosen(address, (_hub_file(entry) for entry in entries if isinstance(entry, RepoFile)), card)


def _hub_file(entry: Any) -> HubFile:
    """A file of the client's listing."""
    if entry.lfs is not None:
        return HubFile(entry.path, int(entry.lfs.size), sha256=str(entry.lfs.sha256))
    return HubFile(entry.path, int(entry.size), blob=str(entry.blob_id))


def _from_cache(address: HubAddress, card: str) -> Chosen:
    """What the client's own cache holds of the commit; raises HubError where it holds nothing, or a part."""
    wanted = [*(f"*{ending}" for ending in ENDINGS), *PAPERS, *(f"*/{name}" for name in PAPERS)]
    snapshot = _snapshot(address, wanted, "looking for a copy of it here")
    paths = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
    return chosen(address, (HubFile(path, (snapshot / path).stat().st_size) for path in paths), card)


def _snapshot(address: HubAddress, wanted: list[str], doing: str) -> Path:
    """Folder of the client's cache with the files of these names or patterns; its files are links."""
    from huggingface_hub import constants, snapshot_download

    with complaints(address, doing), no_bars():
        found = snapshot_download(
            address.repository,
            repo_type=address.kind,
            revision=address.revision,
            allow_patterns=wanted,
            ignore_patterns=[".*", "*/.*"],
            local_files_only=bool(constants.HF_HUB_OFFLINE),
        )
    return Path(found)


def _copied(address: HubAddress, what: Chosen, place: Path) -> None:
    """Copy files from the client's cache into a folder that is whole or not there; the bytes must be the commit's."""
    snapshot = _snapshot(address, [file.path for file in what.files], "fetching it")
    temporary: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".fetching-", dir=place.parent))
        for file in what.files:
            _copy(address, file, snapshot / file.path, temporary / "files" / file.path)
        _write_record(address, what, temporary / "files", _record_of(place))
        if not os.path.lexists(place):
            (temporary / "files").rename(place)
    except OSError as error:
        # Another process may have been the first.
        if not place.is_dir():
            raise unwritten(place, error, "run the same command again") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _copy(address: HubAddress, file: HubFile, source: Path, target: Path) -> None:
    """Copy a file's bytes, whatever leads to them; raises HubError where they are not what the commit names."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        raise HubError(f"{address.text}: {file.path} was not fetched; run the same command again")
    shutil.copyfile(source, target)
    target.chmod(0o644)
    if not file.is_at(target):
        raise HubError(
            f"{address.text}: {file.path} is not what the commit names: half a download, say; delete "
            f"{source.resolve()} and run the same command again"
        )


def _record_of(place: Path) -> Path:
    return place.with_name(f"{place.name}{RECORD}")


def _write_record(address: HubAddress, what: Chosen, folder: Path, path: Path) -> None:
    """Write what was fetched, with the hash of each file as it is here."""
    files = [_Listed(path=file.path, size=file.size, sha256=_sha256(folder / file.path)) for file in what.files]
    record = _Record(source=address.text, files=files, left_out=list(what.left_out))
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(record.model_dump(), indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(place: Path, address: HubAddress) -> Fetched:
    """What was fetched before; raises EarwitnessError where it is not what it was."""
    try:
        record = _Record.model_validate_json(_record_of(place).read_text(encoding="utf-8"))
        there = {path.relative_to(place).as_posix() for path in _walked(place)}
        same = record.source == address.text and there == {file.path for file in record.files}
        same = same and all(HubFile(**file.model_dump()).is_at(place / file.path) for file in record.files)
    except (OSError, ValueError) as error:
        raise EarwitnessError(f"{place}: what was fetched of {address.text} cannot be read; {DONE_OVER}") from error
    if not same:
        raise EarwitnessError(f"{place}: it is not what was fetched of {address.text} any more; {DONE_OVER}")
    return Fetched(address.text, place, tuple(record.left_out))


def _walked(folder: Path) -> Iterator[Path]:
    """What is no folder below a folder, links not followed; byte code that an interpreter left is passed over."""
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(top, name) for name in names)
        links: Iterable[str] = [name for name in folders if stat.S_ISLNK(os.lstat(Path(top, name)).st_mode)]
        yield from (Path(top, name) for name in links)
