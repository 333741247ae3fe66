"""SPES (arXiv 2411.01710) at its published number of masks, on superpixels of the smoothed spectrogram."""

from earwitness.explaining.spes_smoothed import SmoothedSpes

__all__ = ["SmoothedSpes"]
