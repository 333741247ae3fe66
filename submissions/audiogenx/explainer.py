"""AudioGenX (arXiv 2502.00459) with its published settings."""

from earwitness.explaining.audiogenx import AudioGenX

__all__ = ["AudioGenX"]
