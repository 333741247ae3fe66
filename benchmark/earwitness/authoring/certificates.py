"""Writing a task's certificate; scoring reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from earwitness.results.writing import moved_into_place
from earwitness.scoring.certificates import CERTIFICATE, folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earwitness.task import Task


def write_certificate(task: Task, certificate: Mapping[str, Any]) -> None:
    """Store a certificate with its task; raises EarwitnessError where it cannot be written."""
    with moved_into_place(folder(task) / CERTIFICATE) as path:
        path.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
