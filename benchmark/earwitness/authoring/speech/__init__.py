"""What an author of a speech task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.speech.certification import certify, renew
from earwitness.authoring.speech.search import chosen

__all__ = ["certify", "chosen", "renew"]
