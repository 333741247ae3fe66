"""What an author of a prompt task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.prompt.certification import certify, complete

__all__ = ["certify", "complete"]
