"""What an author of a concept task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.concept.certification import certify

__all__ = ["certify"]
