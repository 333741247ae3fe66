"""What an author of a band task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.band.ceiling import chosen
from earwitness.authoring.band.certification import certify, renew

__all__ = ["certify", "chosen", "renew"]
