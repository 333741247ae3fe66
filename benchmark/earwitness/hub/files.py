"""Which files of a repository are a submission's, by the listing of its commit, before any is fetched."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from earwitness.errors import shortened
from earwitness.hub.addresses import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from earwitness.hub.addresses import HubAddress

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""Of a file or folder: what every file system keeps apart, every shell takes as it is and no tool hides."""
ENDINGS = frozenset(
    (".py", ".toml", ".md", ".txt", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml", ".safetensors", ".npy", ".npz")
)
"""Of files that a submission may have; pickles and byte code are none of them."""
PAPERS = frozenset(("LICENSE", "LICENCE", "NOTICE", "CITATION.cff"))
MOST_FILES, LARGEST_FILE, MOST_BYTES, DEEPEST = 20_000, 1 << 30, 4 << 30, 6


@dataclass(frozen=True)
class HubFile:
    """A file as a commit lists it."""

    path: str
    """With `/`, from the top of the repository."""
    size: int
    blob: str = ""
    """Name of its content in git."""
    sha256: str = ""
    """Of its content, where it lies in the large file storage; `blob` is that of a pointer then."""

    def is_at(self, path: Path) -> bool:
        """Whether a file here holds what the commit names: the same size and the same hash.

        Raises OSError where it cannot be read.
        """
        if path.stat().st_size != self.size:
            return False
        if not (self.sha256 or self.blob):
            return True
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256" if self.sha256 else self._of_git)
        return found.hexdigest() == (self.sha256 or self.blob)

    def _of_git(self) -> hashlib._Hash:
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)


@dataclass(frozen=True)
class Chosen:
    """What is fetched of a commit, and what is not."""

    files: tuple[HubFile, ...]
    left_out: tuple[str, ...]


def chosen(address: HubAddress, listed: Iterable[HubFile], card: str) -> Chosen:
    """The files of a listing that a submission may have.

    Raises HubError where there is no card among them, they are too many or too large, or a name is not everybody's.
    """
    every = list(listed)
    files = [file for file in every if _is_wanted(file.path)]
    if card not in {file.path for file in files}:
        raise HubError(f"{address.text}: there is no {card} at its top, so that it is no submission; add one")
    if len(files) > MOST_FILES:
        raise HubError(f"{address.text}: {len(files):,} files, and at most {MOST_FILES:,} are fetched")
    for file in files:
        _refuse_name(address, file.path)
        if file.size > LARGEST_FILE:
            raise HubError(
                f"{address.text}: {file.path} has {file.size:,} bytes, and at most {LARGEST_FILE:,} are read"
            )
    if (total := sum(file.size for file in files)) > MOST_BYTES:
        raise HubError(f"{address.text}: {total:,} bytes, and at most {MOST_BYTES:,} are fetched")
    _refuse_twins(address, [file.path for file in files])
    left_out = {file.path for file in every} - {file.path for file in files}
    return Chosen(tuple(files), tuple(sorted(path for path in left_out if not path.startswith("."))))


def _is_wanted(path: str) -> bool:
    name = path.rpartition("/")[2]
    hidden = any(part.startswith(".") for part in path.split("/"))
    return not hidden and (name in PAPERS or f".{name.rpartition('.')[2]}" in ENDINGS)


def _refuse_name(address: HubAddress, path: str) -> None:
    parts = path.split("/")
    if len(parts) > DEEPEST:
        raise HubError(f"{address.text}: {shortened(path)!r} lies more than {DEEPEST - 1} folders deep; move it up")
    if not all(NAME.fullmatch(part) and not part.endswith(".") for part in parts):
        raise HubError(
            f"{address.text}: {shortened(path)!r}: names are of letters, digits, _, - and . alone, with neither a "
            "leading nor a trailing dot; rename it"
        )


def _refuse_twins(address: HubAddress, paths: Sequence[str]) -> None:
    prefixes = {"/".join(parts[:end]) for path in paths for parts in [path.split("/")] for end in range(1, len(parts))}
    alike = Counter(path.casefold() for path in {*paths, *prefixes})
    for path in paths:
        if alike[path.casefold()] > 1 or path in prefixes:
            raise HubError(f"{address.text}: two names differ from {path} in capitals alone, or not at all; rename one")
