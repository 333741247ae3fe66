"""Seals: a keyed digest for each part of a run, by which whoever goes on with the run knows what it wrote itself.

The key lies outside every run, is made once for a user, and enters no box: code that could write into a run's folder
can neither make a seal nor move one to other bytes, to another name or into another run.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from earwitness.atomic import atomic_write
from earwitness.errors import unwritten

STATE = "EARWITNESS_STATE"
"""Environment variable that names the folder of the key."""
KEY = "seal.key"
SEALS = ".seals"
BYTES = 32


def state_folder() -> Path:
    """Folder of what this user's runs share: `$EARWITNESS_STATE`, or earwitness in the XDG state folder."""
    given = os.environ.get(STATE)
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(given) if given else Path(home).expanduser() / "earwitness"


def seal(path: Path, run: str) -> None:
    """Seal a file of a run as it is now; raises EarwitnessError where the seal cannot be written."""
    beside = _beside(path)
    try:
        with atomic_write(beside) as temporary:
            temporary.write_text(_digest(path, run), encoding="ascii")
    except OSError as error:
        raise unwritten(beside, error) from error


def is_sealed(path: Path, run: str) -> bool:
    """Whether a file of a run is what this user's runs wrote under that name."""
    try:
        stored = _beside(path).read_text(encoding="ascii")
        return hmac.compare_digest(stored, _digest(path, run))
    except (OSError, ValueError):
        return False


def drop_unsealed(folder: Path, run: str, pattern: str) -> list[str]:
    """Delete files of a run's folder that bear no seal of this user's, and return their names."""
    found = [path for path in sorted(folder.glob(pattern)) if not is_sealed(path, run)]
    for path in found:
        with suppress(OSError):
            path.unlink()
    return [path.name for path in found]


def _beside(path: Path) -> Path:
    """File of a seal: in a folder of the run's, so that parts stand alone in theirs."""
    return path.parent.parent / SEALS / f"{path.parent.name}.{path.name}"


def _digest(path: Path, run: str) -> str:
    """Keyed digest of a file's bytes, its place in its run, and the run's name."""
    found = hmac.new(key(), f"{run}\0{path.parent.name}/{path.name}\0".encode(), hashlib.sha256)
    with path.open("rb") as file:
        found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def key() -> bytes:
    """This user's key, made when it is first asked for; raises EarwitnessError where it cannot be kept."""
    return _key(state_folder() / KEY)


@lru_cache(maxsize=8)
def _key(path: Path) -> bytes:
    try:
        if not path.is_file():
            with atomic_write(path, exclusive=True) as temporary:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(BYTES))
        return path.read_bytes()
    except OSError as error:
        raise unwritten(path, error, f"set {STATE} to a folder that can be written to") from error
