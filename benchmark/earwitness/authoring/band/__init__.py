"""What an author of a band task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.band.certification import certify

__all__ = ["certify"]
