"""Addresses on the hub: `hf://user/repo@commit`, and `hf://datasets/user/repo@commit` of a repository of data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from earwitness.errors import EarwitnessError, shortened

SCHEME = "hf://"
DATASETS = "datasets/"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,95})"
_REPOSITORY = re.compile(rf"{_PART}/{_PART}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,199})")
SHAPE = "hf://USER/REPO@COMMIT, or hf://datasets/USER/REPO@COMMIT"


class HubError(EarwitnessError):
    """The hub, or what it holds at an address, cannot be used."""


@dataclass(frozen=True)
class HubAddress:
    """A repository of the hub at a revision."""

    repository: str
    """Owner and name."""
    kind: str
    """`model` or `dataset`, as the hub's API calls them."""
    revision: str
    """A commit, a branch or a tag; empty where none is named."""

    @property
    def pinned(self) -> bool:
        """Whether it names a commit, which nobody can change, by all of its 40 hex digits."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def text(self) -> str:
        """The address as it is written.

        >>> parse("hf://datasets/ann/maps@main").text
        'hf://datasets/ann/maps@main'
        """
        at = f"@{self.revision}" if self.revision else ""
        return f"{SCHEME}{DATASETS if self.kind == 'dataset' else ''}{self.repository}{at}"

    def at(self, revision: str) -> HubAddress:
        """The same repository at another revision."""
        return HubAddress(self.repository, self.kind, revision)


def is_address(text: str) -> bool:
    """Whether a text is meant as an address on the hub.

    >>> is_address("hf://ann/mine"), is_address("submissions/mine")
    (True, False)
    """
    return text.startswith(SCHEME)


def parse(text: str) -> HubAddress:
    """The address that a text is; raises HubError where it is none.

    >>> parse("hf://ann/mine@" + "0" * 40).pinned, parse("hf://ann/mine").pinned
    (True, False)
    """
    place, _, revision = text.removeprefix(SCHEME).partition("@")
    kind = "dataset" if place.startswith(DATASETS) else "model"
    repository = place.removeprefix(DATASETS)
    if not is_address(text) or not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise HubError(f"{shortened(text)!r} is no address of a submission on the hub; write {SHAPE}")
    if revision and not _REVISION.fullmatch(revision):
        raise HubError(f"{shortened(text)!r}: {shortened(revision)!r} is no revision; write {SHAPE}")
    return HubAddress(repository, kind, revision)
