"""An adapter: MusicGen under another guidance, everything else as it is."""

from __future__ import annotations

from typing import Any

from earwitness.models import musicgen


class Guided:
    """A `PromptModel` that hands on what it does not say itself."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def from_pretrained(source: str, revision: str = "main", device: str = "cpu", *, guidance: float = 2.0) -> Guided:
    """The model of a hub id or a folder."""
    return Guided(musicgen.from_pretrained(source, revision, device, guidance=guidance))
