"""Commits of a git repository: which there are, what differs between two of them, what one of them holds.

Everything is read by git's plumbing, which no configuration of a user's changes, and nothing in the repository is
written: no branch, no index, no worktree.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 600
"""In which git answers."""
SHORT = 10
"""Digits of a commit's name in messages."""
NOTHING = "000000"
"""Mode of a file that is not there."""
FILE, EXECUTABLE, LINK, MODULE = "100644", "100755", "120000", "160000"
"""Modes of what a commit may hold at a path."""

OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""What git tells programs that it starts itself: another repository may be meant here."""
FIXED = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}


class GitError(EarwitnessError):
    """Git is not there, or did not do what it was asked for."""


@dataclass(frozen=True)
class GitChange:
    """A path that differs between two commits; a file that was renamed is one that went and one that came."""

    path: str
    """With `/`; bytes that are no text stand as lone surrogates."""
    before: str
    """Mode in the first commit, `NOTHING` where it was not there."""
    after: str
    blob: str
    """Name of its content in the second commit."""

    @property
    def added(self) -> bool:
        """Whether it was not there before."""
        return self.before == NOTHING


@dataclass(frozen=True)
class Repository:
    """A repository by the folder of its working tree."""

    top: Path

    @classmethod
    def of(cls, folder: Path) -> Repository:
        """The repository that a folder lies in; raises GitError where it lies in none."""
        try:
            found = Repository(folder).text("rev-parse", "--show-toplevel")
        except GitError as error:
            if "not found" in str(error):
                raise
            raise GitError(f"{shortened(str(folder.resolve()))} lies in no git repository: {error}") from error
        return cls(Path(found))

    def commit(self, ref: str) -> str:
        """The full name of the commit that a branch, a tag or a name stands for; raises GitError where it is none."""
        try:
            return self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except GitError:
            raise GitError(
                f"no commit is called {shortened(ref)!r} in {self.top}; fetch it first (`git fetch origin`), or name "
                "another one"
            ) from None

    def fork(self, base: str, head: str) -> str:
        """The last commit that two share; raises GitError where they share none."""
        try:
            return self.text("merge-base", base, head)
        except GitError:
            raise GitError(
                f"{base[:SHORT]} and {head[:SHORT]} share no commit here; fetch the whole history (`git fetch "
                "--unshallow`), or name another base"
            ) from None

    def changes(self, before: str, after: str) -> list[GitChange]:
        """What differs between two commits, in the order of paths."""
        words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", "--no-commit-id", before, after)
        fields = os.fsdecode(self._ask(*words)).split("\0")
        found = []
        for head, path in zip(fields[:-1:2], fields[1::2], strict=True):
            first, second, _, blob, _ = head.removeprefix(":").split(" ")
            found.append(GitChange(path, first, second, blob))
        return found

    def changed(self, commit: str, paths: Sequence[Path], unknown: bool = True) -> list[str]:
        """Files at or below some paths that are not in the working tree what they are in a commit.

        `unknown` ones, of which git was told nothing, are among them, but for those that it is to ignore.
        """
        own = [f":(top,literal){inner}" if inner != "." else ":/" for inner in map(self.inner, paths)]
        names = ("diff", "--name-only", "-z", "--no-color", "--no-renames", "--no-ext-diff", "--no-textconv")
        words = (*names, commit, "--", *own)
        others = ("ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", *own)
        found = [os.fsdecode(self._ask(*each)).split("\0")[:-1] for each in (words, *([others] if unknown else []))]
        return sorted({path for each in found for path in each})

    def inner(self, path: Path) -> str:
        """A path as it is called in the repository; raises GitError where it lies outside."""
        try:
            return path.resolve().relative_to(self.top.resolve()).as_posix()
        except ValueError:
            raise GitError(f"{shortened(str(path))} lies outside of {self.top}") from None

    def holds(self, path: Path) -> bool:
        """Whether a path lies in the working tree."""
        return path.resolve().is_relative_to(self.top.resolve())

    def names(self, commit: str, folder: str) -> list[str]:
        """Names of what a folder of a commit holds; none where there is no such folder."""
        found = os.fsdecode(self._ask("ls-tree", "-z", "--name-only", commit, "--", f"{folder}/")).split("\0")[:-1]
        return [path.rpartition("/")[2] for path in found]

    def size(self, blob: str) -> int:
        """Bytes of a content."""
        return int(self.text("cat-file", "-s", blob))

    def content(self, blob: str) -> bytes:
        """A content as it is stored: no filter, no end of lines of this machine's."""
        return self._ask("cat-file", "blob", blob)

    def check_out(self, commit: str, paths: Sequence[str], folder: Path) -> None:
        """Write the files of a commit at or below some paths into a folder, as a checkout would.

        An index of its own is used, beside the folder, so that the user's is as it was.
        """
        index = folder.with_name(f"{folder.name}.index")
        own = {"GIT_INDEX_FILE": str(index)}
        try:
            self._ask("read-tree", commit, environment=own)
            files = self._ask("ls-files", "-z", "--", *(f":(top,literal){path}" for path in paths), environment=own)
            words = ("checkout-index", "-z", "--stdin", f"--prefix={folder}/")
            self._ask(*words, environment=own, given=files)
        finally:
            index.unlink(missing_ok=True)

    def text(self, *words: str) -> str:
        """What git answers in one line."""
        return os.fsdecode(self._ask(*words)).strip()

    def _ask(self, *words: str, environment: Mapping[str, str] | None = None, given: bytes = b"") -> bytes:
        """What git answers; raises GitError."""
        command = ["git", "-C", str(self.top), *words]
        own = {name: text for name, text in os.environ.items() if name not in OF_HOOKS}
        own |= FIXED | dict(environment or {})
        try:
            done = subprocess.run(command, capture_output=True, input=given, env=own, timeout=SECONDS, check=False)
        except FileNotFoundError as error:
            raise GitError("git is not found; install it") from error
        except (OSError, subprocess.SubprocessError) as error:
            raise GitError(f"git {words[0]} did not end: {error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(f"git {words[0]}: {said[-1] if said else f'exit code {done.returncode}'}")
        return done.stdout
