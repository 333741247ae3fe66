"""SPES (arXiv 2411.01710) at its published number of masks."""

from earwitness.explaining.spes import Spes

__all__ = ["Spes"]
