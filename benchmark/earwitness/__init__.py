"""Earwitness: does the explanation say what the model actually heard?"""

__version__ = "0.1.0"
