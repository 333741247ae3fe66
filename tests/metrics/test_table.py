"""The table of all metrics is what the declarations say."""

import math
from pathlib import Path

from earwitness.metrics import Direction, MetricSpec, all_metrics
from earwitness.metrics.responses.band import Cells
from earwitness.metrics.responses.prompt import KeptSound, TokenWeights
from earwitness.metrics.table import COLUMNS, markdown, row, shipped

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def example(weights: object, *, needed: int, given: str = "a") -> float:
    """Says a | b."""
    return 0.0


def spec(response: type = TokenWeights, direction: Direction = "lower") -> MetricSpec:
    return MetricSpec("example", response, direction, (0, math.inf), example, ("a", "b"))


def test_the_page_is_what_the_declarations_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(shipped()), (
        "write it anew: python -m earwitness.metrics.table > docs/metrics.md"
    )


def test_every_metric_of_the_library_stands_in_one_row() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    own = [name for name, found in all_metrics().items() if found.function.__module__.startswith("earwitness.metrics.")]
    assert sorted(rows) == sorted(own)


def test_a_row_says_what_is_declared_and_a_bar_ends_no_cell() -> None:
    assert dict(zip(COLUMNS, row(spec(KeptSound)), strict=True)) == {
        "metric": "`example`",
        "value": r"Says a \| b.",
        "direction": "lower",
        "range": "[0, ∞)",
        "reads": KeptSound.summary(),
        "parameters": '`mask = "soft"`, `removal = "scale"`, `judge = ""`, `needed = ...`, `given = "a"`',
        "defined by": "`a`, `b`",
    }


def test_a_track_is_a_section_and_a_metric_a_row() -> None:
    lines = [line for line in markdown([spec(), spec(Cells)]).splitlines() if line.startswith(("## ", "| `"))]
    cells = " | ".join(row(spec(Cells)))
    assert lines == ["## band", f"| {cells} |", "## prompt", f"| {' | '.join(row(spec()))} |"]
