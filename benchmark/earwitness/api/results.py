"""Results: the rows of some runs, for people who know pandas, with verdicts and ranks by the board's own engine."""

from __future__ import annotations

import base64
import html
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.board import build, compare, ranking_records
from earwitness.board.manifests import exhibits
from earwitness.errors import EarwitnessError, nearest
from earwitness.harness.recipe import ORIGINALS
from earwitness.results.folders import open_run, open_runs
from earwitness.results.frame import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas
    import pyarrow as pa

LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    letter: f"\\{letter}" for letter in "_&%$#{}"
}
"""How LaTeX writes what has a meaning of its own there."""
MEDIA = {".ogg": "audio/ogg", ".flac": "audio/flac", ".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Results:
    """The rows of some runs; `+` puts two together."""

    folders: tuple[Path, ...]
    """Of the runs."""

    @classmethod
    def read(cls, places: Sequence[Path]) -> Results:
        """The results of every run in some folders.

        Raises EarwitnessError where there is none that can be read.
        """
        for place in places:
            if not place.is_dir():
                raise EarwitnessError(f"{place}: no such folder of runs")
        found, unread = open_runs(places)
        if not found:
            why = f": {'; '.join(run.reason for run in unread)}" if unread else ""
            raise EarwitnessError(f"no run with rows in {', '.join(map(str, places))}{why}")
        return cls(tuple(run.folder for run in found))

    def __add__(self, other: Results) -> Results:
        return Results(tuple(dict.fromkeys((*self.folders, *other.folders))))

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Results({len(self.folders)} runs, {len(self.rows)} rows)"

    @property
    def rows(self) -> pa.Table:
        """The rows of all runs, as `earwitness.results.rows.Row` has them."""
        import pyarrow

        return pyarrow.concat_tables([open_run(folder).rows for folder in self.folders])

    def to_pandas(self) -> pandas.DataFrame:
        """A line a row, a column a field; a value that a row lacks is NaN."""
        return frame(self.rows)

    def compare(self, first: str, second: str, task: str | None = None) -> pandas.DataFrame:
        """Two submissions, metric by metric on the items that both ran: a line a task and metric, with the verdict.

        Raises EarwitnessError where one was not run, NotComparableError where they share nothing.
        """
        import pandas

        pairs = compare(first, second, self.folders, task)
        return pandas.DataFrame([{"task": pair.task, **asdict(each)} for pair in pairs for each in pair.differences])

    def ranking(self, task: str | None = None) -> pandas.DataFrame:
        """A line an entrant, best first: its place, its score with the interval, and its mean of each metric.

        `task` is a task's name on the board; None takes all. What has no rank has none here either.
        """
        import pandas

        with tempfile.TemporaryDirectory(prefix="earwitness-board-") as folder:
            records = ranking_records(build(self.folders, Path(folder)))
        known = sorted({str(record["task_key"]) for record in records})
        if task is not None and task not in known:
            raise EarwitnessError(f"no task of these results is called {task!r}; {nearest(task, known, 'tasks')}")
        kept = [record for record in records if task in (None, record["task_key"])]
        return pandas.DataFrame([_line(record) for record in kept])

    def to_latex(self, task: str | None = None) -> str:
        """The ranking as a LaTeX table (booktabs), scores with their intervals."""
        found = self.ranking(task)
        lines = [r"\begin{tabular}{llrl}", r"\toprule", r"task & submission & place & score \\", r"\midrule"]
        for _, row in found.iterrows():
            cells = [_escaped(str(row["task"])), _escaped(str(row["submission"])), _place(row), _score(row)]
            lines.append(" & ".join(cells) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def show(self, item: str) -> Shown:
        """What people see and hear of an item: its own sounds and pictures, and those of each explanation of it.

        A notebook draws it. Raises EarwitnessError where no run has the item.
        """
        items = sorted(set(self.rows["item"].to_pylist()))
        if item not in items:
            raise EarwitnessError(f"no run has the item {item!r}; {nearest(item, items, 'items', items[:5])}")
        parts = []
        for folder in self.folders:
            recipe = open_run(folder).recipe
            name = f"{recipe['submission']['id']} on {recipe['task']['id']}"
            asked = {**recipe["arguments"]["typed"], **recipe["arguments"]["defaulted"]}
            fresh = "" if asked.get("fresh") is None else f"-fresh{asked['fresh']}"
            originals = folder.parent / ORIGINALS / f"{recipe['task']['hash']}-seed{asked.get('seed', 0)}{fresh}"
            own = exhibits(originals, item, originals)
            parts.append((name, [*own, *exhibits(folder / "exhibits", item, folder)]))
        return Shown(item, parts)


@dataclass(frozen=True)
class Shown:
    """An item's exhibits, which a notebook draws."""

    item: str
    parts: list[tuple[str, list[dict[str, Any]]]]
    """Of each run its name and its exhibits: `kind`, `label`, `part`, `path`."""

    def _repr_html_(self) -> str:
        lines = [f"<h4>{html.escape(self.item)}</h4>"]
        for name, found in self.parts:
            lines.append(f"<h5>{html.escape(name)}</h5>")
            lines += [_drawn(each) for each in found if each["kind"] in ("sound", "picture")]
        return "\n".join(lines)


def _drawn(exhibit: dict[str, Any]) -> str:
    path = Path(exhibit["path"])
    kind = MEDIA.get(path.suffix, "application/octet-stream")
    data = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    label = html.escape(" ".join(filter(None, (exhibit["label"], exhibit["part"]))))
    if exhibit["kind"] == "sound":
        return f'<figure><figcaption>{label}</figcaption><audio controls src="{data}"></audio></figure>'
    return f'<figure><figcaption>{label}</figcaption><img alt="{label}" src="{data}"></figure>'


def _line(record: dict[str, Any]) -> dict[str, Any]:
    means = {metric: result["mean"] for metric, result in record["results"].items()}
    plain = ("rank", "rank_low", "rank_high", "score", "score_low", "score_high", "items", "failed")
    kept = {name: record[name] for name in plain if name in record}
    return {"task": record["task_key"], "submission": record["entrant"], **kept, **means}


def _place(row: Any) -> str:
    first, last = row.get("rank_low"), row.get("rank_high")
    if first is None or first != first:
        return "--"
    return f"{first:.0f}" if first == last else f"{first:.0f}--{last:.0f}"


def _score(row: Any) -> str:
    value, low, high = (row.get(name) for name in ("score", "score_low", "score_high"))
    if value is None or value != value:
        return "--"
    return f"{value:.2f}" + ("" if low is None or low != low else f" [{low:.2f}, {high:.2f}]")


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
