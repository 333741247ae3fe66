"""Writing a model's folder whole: it is made beside its place and moved there at the end."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from earwitness.errors import DONE, EarwitnessError, unwritten
from earwitness.models.pretrained_files import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def require_free(folder: Path) -> None:
    """Raise EarwitnessError where something is at a folder's place already, an empty folder aside."""
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise EarwitnessError(f"{folder} is there already; name a folder that is not")


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to save into, quietly, which takes its place at the end; nothing stays of a failure.

    Raises EarwitnessError where it cannot be written.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        part.mkdir(parents=True)
        with quiet():
            yield part
        part.rename(folder)
    except Exception as error:  # safetensors has errors of its own for a full disk
        raise unwritten(folder, error, "run the same command again") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def exit_code(convert: Callable[[Callable[[str], None]], object], folder: str) -> int:
    """Exit code of a command that writes a model's folder: what `convert` says of its work goes to stderr, at the end
    the folder to stdout, and an EarwitnessError in one line to stderr.
    """
    try:
        convert(lambda line: print(line, file=sys.stderr, flush=True))
    except EarwitnessError as error:
        print(f"earwitness: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    print(folder)
    return DONE
