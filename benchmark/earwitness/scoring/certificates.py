"""Certificates: which parts of a task's truth an intervention on its model has shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from earwitness.task import Task

CERTIFICATE = "certificate.json"


def folder(task: Task) -> Path:
    """Where a task's truth is stored, of the card's own model."""
    return task.folder / "truth"


def read_certificate(task: Task) -> dict[str, Any]:
    """A task's certificate, empty where there is none; raises EarwitnessError where it cannot be read."""
    if task.truth is None:
        return {}
    path = task.truth / CERTIFICATE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, OSError) as error:
        raise EarwitnessError(
            f"{task.truth}: stored truth cannot be read ({error}); write it again with `earwitness train {task.id}`"
        ) from error
    return found


def certified(certificate: Mapping[str, Any], role: str) -> bool:
    """Whether an intervention on the model has shown that this part of the truth does what the data say."""
    return bool(certificate.get("roles", {}).get(role, {}).get("certified", False))
