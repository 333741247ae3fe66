"""Who shares the first place of a task, in words."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def ties(task: Record, entrants: list[Record]) -> str:
    """One sentence on who shares the first place, with the cheapest of them; empty where it is not shared."""
    leaders = [entrant for entrant in entrants if entrant["rank"] == 1]
    if len(leaders) < 2:
        return ""
    unbeaten = [entrant for entrant in leaders if entrant["rank_low"] == 1]
    names = ", ".join(entrant["entrant"] for entrant in unbeaten)
    whom = f"None is told to be better than {names}" if len(unbeaten) < len(leaders) else f"They are {names}"
    shared = (
        f"{len(leaders)} submissions share the places 1 to {len(leaders)}: {task['items']} items do not part them into "
        f"better and worse. {whom}"
    )
    seen = [entrant for entrant in unbeaten if entrant["seconds"] is not None]
    if not seen:
        return f"{shared}."
    cheapest = min(seen, key=lambda entrant: (entrant["seconds"], entrant["forwards"], entrant["entrant"]))
    passes = f"{cheapest['forwards']:.0f} forward pass" + ("" if round(cheapest["forwards"]) == 1 else "es")
    cost = f"{cheapest['seconds']:.2g} CPU s and {passes} an explanation"
    return f"{shared}; the cheapest is {cheapest['entrant']} with {cost}."
