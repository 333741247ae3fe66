"""AudioGenX (arXiv 2502.00459) with its published settings, averaged over the whole sound whatever is asked for."""

from earwitness.explaining.audiogenx import AudioGenX

__all__ = ["AudioGenX"]
