"""A fault of the program itself: one line for people, the traceback in a file for who mends it."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback

from earwitness.cli.output import one_line_of


def report(error: BaseException) -> str:
    """Write the traceback of an error into a file and return the line that names it."""
    message = one_line_of(f"{type(error).__name__}: {error}").removesuffix(":")
    return f"fault of the program: {message}; {_written(error)}"


def _written(error: BaseException) -> str:
    lines = [f"{' '.join(sys.argv)}\n", f"python {platform.python_version()} on {platform.platform()}\n"]
    lines += traceback.format_exception(error)
    try:
        descriptor, path = tempfile.mkstemp(prefix="earwitness-fault-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(lines)
    except OSError as refused:
        return f"the traceback could not be written: {refused.strerror or refused}"
    return f"the traceback is in {path}"
