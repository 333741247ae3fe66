"""Shares of cells at which curves are taken."""

from __future__ import annotations

from typing import Literal

Grid = Literal["even", "fine"]
GRIDS: dict[Grid, tuple[float, ...]] = {
    "even": tuple(percent / 100 for percent in range(0, 101, 5)),
    "fine": tuple(percent / 100 for percent in (*range(11), *range(15, 101, 5))),
}
"""Every 5 % (SPES, arXiv 2411.01710); or every 1 % up to 10 %, and then every 5 %, where the first cells already take
most of what there is (ours)."""
