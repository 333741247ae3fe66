"""Whether a task's card lets the sounds of its items be handed on with an exported page, and under which licence."""

from __future__ import annotations

import json
import re
from typing import Any

Record = dict[str, Any]
NO_DERIVATIVES = re.compile(r"\bND\b")
"""Of Creative Commons: what an explanation keeps or takes away of a sound is an adaptation of it."""
OWN = "audio is yours"
"""A card says so where whoever runs the task brings the sounds: their licence is in no file of the task."""


def licence_of(task: Record) -> str:
    """The licence that a record of the table `tasks` has in its card; empty without a card."""
    return str(json.loads(task["card"]).get("licence", "")) if task["card"] else ""


def withheld_sounds(licence: str) -> str:
    """Why sounds under a licence are left out of an exported page; empty where they are not.

    >>> withheld_sounds("Whisper weights Apache-2.0; LibriSpeech CC-BY-4.0")
    ''
    >>> withheld_sounds("Speech2Text weights MIT; MuST-C CC-BY-NC-ND-4.0")
    'MuST-C CC-BY-NC-ND-4.0 lets no adaptation of a sound be handed on'
    """
    for part in map(str.strip, licence.split(";")):
        if NO_DERIVATIVES.search(part):
            return f"{part} lets no adaptation of a sound be handed on"
        if OWN in part:
            return "the sounds are those of whoever ran the task, and no card says their licence"
    return ""
