"""JSON documents that other programs may have written: read whole and of a known shape, or named in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel


def read_document(path: Path, shape: type[BaseModel], what: str, advice: str) -> dict[str, Any]:
    """The JSON object of a file, its keys that the shape names checked and the others kept.

    Raises EarwitnessError, in one line, where it cannot be read or is of another shape: `what` says what the file
    should be, `advice` what to do.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shape.model_validate(document, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        wrong = f"{key}: {first['msg']}" if key else "it is no JSON object"
    except (ValueError, RecursionError) as error:
        wrong = _why_no_json(error)
    except OSError as error:
        wrong = error.strerror or type(error).__name__
    else:
        return document
    raise EarwitnessError(f"{path} is no {what}: {wrong}; {advice}")


def _why_no_json(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON at line {error.lineno}, column {error.colno}"
    return "it holds a number that is too long"
