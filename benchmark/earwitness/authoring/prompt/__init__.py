"""What an author of a prompt task runs once: certificate and ceilings."""

from __future__ import annotations

from earwitness.authoring.prompt.ceiling import chosen
from earwitness.authoring.prompt.certification import certify, complete, renew, require

__all__ = ["certify", "chosen", "complete", "renew", "require"]
