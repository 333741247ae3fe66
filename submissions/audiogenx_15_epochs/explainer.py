"""AudioGenX (arXiv 2502.00459), trained in fewer and larger steps than published."""

from earwitness.explaining.audiogenx import AudioGenX

__all__ = ["AudioGenX"]
