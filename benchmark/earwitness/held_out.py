"""Held-out items of a task: drawn by a secret, or files, that the board's owner alone has.

What is published of them stands beside the card, in `held_out.toml`, which no identity of the task holds.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import Field, model_validator

from earwitness import plugins
from earwitness.errors import EarwitnessError, shortened
from earwitness.identity import digest, files_of
from earwitness.private import SECRET, seed_of
from earwitness.results.held_out import PRIVATE, marked
from earwitness.seeds import derive
from earwitness.task import Card, Task, read_card

HELD_OUT = "held_out.toml"
"""File beside a task's card."""
OF_SECRET = "secret"
"""What `--held-out` names where items are drawn by the secret; anything else is a path."""


class HeldOutCard(Card):
    """What is published of a task's held-out items: whether it is these can be told by it, and no more."""

    fingerprint: str | None = Field(pattern=r"^[0-9a-f]{32}$", default=None)
    """`earwitness.private.fingerprint` of the secret that draws other items of a made world."""
    digest: str | None = Field(pattern=r"^[0-9a-f]{64}$", default=None)
    """`files_digest` of the folder, or the file, that takes the place of the dataset's source."""
    items: int = Field(gt=0, le=10_000)

    @model_validator(mode="after")
    def _one(self) -> HeldOutCard:
        if (self.fingerprint is None) == (self.digest is None):
            raise ValueError("fingerprint (of a secret) or digest (of files): one of them, and not both")
        return self


class HeldOutTask(Task):
    """A task with its held-out items in place of the card's: its rows meet none of the card's items."""

    def __init__(self, public: Task, published: HeldOutCard, files: Path | None) -> None:
        """`files` are the owner's; None where a secret draws the items."""
        self._files = files
        source = {} if files is None else {"source": self.where}
        dataset = public.card.dataset.model_copy(update={"items": published.items, **source})
        card = public.card.model_copy(update={"dataset": dataset})
        super().__init__(card, public.folder, public.copies, public.own_model)
        self.public = public
        self._published = published

    @property
    def mark(self) -> str:
        """What rows say of the held-out items: 16 hex digits of what is published of them."""
        return digest(self._published.model_dump())

    @property
    def where(self) -> str:
        """Where the items are from, as `--held-out` names it wherever it is called."""
        return OF_SECRET if self._files is None else str(self._files.resolve())

    @property
    def hash(self) -> str:
        """The task's own, marked."""
        return marked(self.public.hash, self.mark)

    @property
    def data_hash(self) -> str:
        """Hash of the task's data and of the mark."""
        return digest([self.public.data_hash, self.mark])

    @property
    def seed_key(self) -> str:
        """The task's own, marked: it hangs neither on the secret nor on where files lie."""
        return marked(self.public.seed_key, self.mark)

    @property
    def truth(self) -> Path | None:
        """Folder of what is stored of the model; None for files, whose items may be called as the card's are."""
        return self.public.truth if self._files is None else None

    @property
    def fresh(self) -> int | None:
        """The seed that draws the items, read from the environment each time; None for files.

        Raises EarwitnessError where the secret is missing or another one.
        """
        if self._published.fingerprint is None:
            return None
        return derive("held-out items", seed_of(self._published.fingerprint))


def held_out(task: Task, where: str) -> HeldOutTask:
    """The task with its held-out items: `secret`, or the path of the files that hold them.

    Raises EarwitnessError where the task has none, or `where` does not lead to those that are published.
    """
    published = _published(task)
    if published.fingerprint is not None:
        if where != OF_SECRET:
            raise EarwitnessError(
                f"task {task.id}: its held-out items are drawn by a secret: --held-out {OF_SECRET}, with the secret in "
                f"{SECRET}"
            )
        if not plugins.adapter("datasets", task.card.dataset.adapter).says("MADE"):
            raise EarwitnessError(
                f"{task.folder / HELD_OUT}: a secret draws from a made world, and {task.card.dataset.adapter} is none; "
                "publish the digest of files"
            )
        seed_of(published.fingerprint)
        return HeldOutTask(task, published, None)
    path = Path(os.path.expanduser(where))
    if not (os.path.isdir(path) or os.path.isfile(path)):
        raise EarwitnessError(
            f"task {task.id}: its held-out items are files of their owner's, and {shortened(where)!r} is none"
        )
    if files_digest(path) != published.digest:
        raise EarwitnessError(
            f"{shortened(where)} does not hold the held-out items of task {task.id}: its digest is not the one in "
            f"{task.folder / HELD_OUT}"
        )
    return HeldOutTask(task, published, path)


def _published(task: Task) -> HeldOutCard:
    path = task.folder / HELD_OUT
    if not path.is_file():
        raise EarwitnessError(f"task {task.id} has no held-out items: there is no {path}")
    if task.card.dataset.parameters.get(PRIVATE):
        raise EarwitnessError(f"{path}: the world of task {task.id} is private already; take the file out")
    found: HeldOutCard = read_card(path, HeldOutCard)
    return found


def files_digest(path: Path) -> str:
    """SHA-256 over names and contents of a folder's files, or of one file, whole: 64 hex digits.

    Identities take 16 of them, which bind nobody: two folders of one digest would be found in 2**32 attempts. Raises
    EarwitnessError where a file cannot be read.
    """
    whole = hashlib.sha256()
    for file in files_of(path) if path.is_dir() else [path]:
        name = file.relative_to(path).as_posix() if file != path else path.name
        try:
            content = file.read_bytes()
        except OSError as error:
            raise EarwitnessError(f"cannot read {file}: {error.strerror or error}") from error
        whole.update(os.fsencode(name) + b"\0" + hashlib.sha256(content).digest())
    return whole.hexdigest()


def public_task(task: Task) -> Task:
    """The task itself, of one with its held-out items."""
    return task.public if isinstance(task, HeldOutTask) else task


def secret_of(task: Task) -> str:
    """What of a task no submission may know, for people; empty where all of it is public."""
    if isinstance(task, HeldOutTask):
        return f"held-out items of {task.id}"
    return f"private task {task.id}" if task.card.dataset.parameters.get(PRIVATE) else ""
