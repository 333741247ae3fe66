"""What an author of a concept task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.concept.ceiling import chosen
from earwitness.authoring.concept.certification import certify, renew

__all__ = ["certify", "chosen", "renew"]
