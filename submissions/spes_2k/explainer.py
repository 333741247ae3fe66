"""SPES (arXiv 2411.01710) with a tenth of its published masks."""

from earwitness.explaining.spes import Spes

__all__ = ["Spes"]
