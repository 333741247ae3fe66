"""The page of one input: each submission's map, sounds and curves, and how faithful each map is on this input.

It opens from disk: files that it shows are copied beside it, and nothing on it is fetched from elsewhere.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from earwitness.board import manifests
from earwitness.board.gallery import STYLE as GALLERY
from earwitness.board.gallery import exhibits_of
from earwitness.board.html_page import unseen, wide, write_html
from earwitness.board.items import ORIGINALS, RUN_EXHIBITS
from earwitness.results.cube import FLOOR
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from earwitness.explained.values import InputValues, MetricValues

FILES = "exhibits"
"""Folder beside the page that files are copied to."""
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
OWN_STYLE = """
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .2rem } .input { font-size: 1.15rem }
td.number, th.number { text-align: right; white-space: nowrap } td small, p small { white-space: normal }
td.number small { display: block; white-space: nowrap } .wide td:first-child { min-width: 14rem }
.note { border-left: 4px solid #0d9488; padding: .2rem .8rem } .scale { min-width: 9rem }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50% }
"""
COLOURS = ("#0d9488", "#e0652f", "#4c78a8", "#a05fb0", "#c2a02e", "#8a979f")
ORDER = ("picture", "sound", "curve")
"""Kinds of exhibits as they follow each other: what was marked, what that does to the sound, and by how much."""
WIDTH = 150
"""Pixels of a row's scale."""
NO_VERDICT = "One input: no verdict can be given."


@dataclass(frozen=True)
class InputPage:
    """What a page is made of."""

    title: str
    """Of the task."""
    task: str
    model: str
    text: str
    """The prompt, or the name of the recording."""
    item: str
    """Id of the input's item."""
    task_hash: str
    """As rows have it."""
    out: Path
    """Folder of the runs."""
    runs: Mapping[str, Path]
    """Folder of each run, by submission."""
    values: InputValues
    notes: Sequence[str] = ()
    """What else there is to say of the input, a line each."""


def write_page(shown: InputPage, folder: Path) -> Path:
    """Write `index.html` into a folder, with the files that it shows beside it, and return its path.

    Raises EarwitnessError where something cannot be written.
    """
    body = "".join([_head(shown), _original(shown, folder), _table(shown.values), *_sections(shown, folder)])
    return write_html(folder, f"{shown.text} · Earwitness", GALLERY + OWN_STYLE, body)


def _head(shown: InputPage) -> str:
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in shown.notes)
    return (
        f'<h1>Earwitness: one input explained</h1><p class="input"><b>{html.escape(shown.text)}</b></p>'
        f"<p>{html.escape(shown.title)} (<code>{html.escape(shown.task)}</code>), model {html.escape(shown.model)}.</p>"
        f'{notes}<p class="note">{NO_VERDICT} The numbers below say how faithful each map is here; which method is '
        "more faithful takes many inputs: <code>earwitness run</code> and <code>earwitness compare</code>.</p>"
    )


def _original(shown: InputPage, folder: Path) -> str:
    """The input's own exhibits: the sound that is explained."""
    place = shown.out / ORIGINALS / parted(shown.task_hash).originals
    found = _exhibits(place, shown)
    body = exhibits_of(found, folder / FILES / "input", folder)
    return f"<h2>The sound that is explained</h2>{body}" if body else ""


def _exhibits(place: Path, shown: InputPage) -> list[manifests.Record]:
    """What the input's manifest in a folder lists, in the order in which it is looked at."""
    found = manifests.exhibits(place, shown.item, shown.out)
    return sorted((each for each in found if each["kind"] in ORDER), key=lambda each: ORDER.index(each["kind"]))


def _sections(shown: InputPage, folder: Path) -> list[str]:
    """What each submission's explanation left, in the order in which they were named."""
    parts = []
    for submission in shown.values.entrants:
        run = shown.runs[submission]
        found = _exhibits(run / RUN_EXHIBITS, shown)
        reason = shown.values.failed.get(submission, "")
        body = f"<p>No explanation that could be scored: {html.escape(reason)}</p>" if reason else ""
        body += exhibits_of(found, folder / FILES / submission, folder)
        parts.append(f"<h2>{html.escape(submission)}</h2>{body or '<p>Nothing to see or hear was left.</p>'}")
    return parts


def _table(values: InputValues) -> str:
    headline = [metric for metric in values.metrics if metric.headline]
    others = [metric for metric in values.metrics if not metric.headline]
    # A card without headline metrics has nothing to fold away.
    first, rest = (headline, others) if headline else (others, [])
    body = f"<h2>How faithful each map is on this input</h2>{_reading(values)}{_rows(values, first)}"
    if rest:
        summary = f"<summary>The card's other metrics ({len(rest)})</summary>"
        body += f"<details>{summary}{_rows(values, rest)}</details>"
    if values.skipped:
        left = "; ".join(f"{', '.join(ids)} ({reason})" for reason, ids in values.skipped.items())
        body += f"<p><small>Left out, since this input has no value of them: {html.escape(left)}.</small></p>"
    return body


def _reading(values: InputValues) -> str:
    """How the columns are read."""
    draws = max((len(metric.floor.draws) for metric in values.metrics if metric.floor), default=0)
    lines = ["Values are means over generation seeds. ↑ and ↓ say which way is more faithful. "]
    lines += [f"<b>{FLOOR}</b>: weights that know nothing, the mean of {draws} draws with their least and largest, "]
    lines += ["the grey band on the scale."]
    if any(metric.noise is not None for metric in values.metrics):
        lines += [" <b>Noise floor</b>: what another draw of the generator's noise does by itself, without any map."]
    return f"<p><small>{''.join(lines)}</small></p>" if draws else ""


def _rows(values: InputValues, shown: Sequence[MetricValues]) -> str:
    others = [name for name in values.entrants if name != FLOOR]
    with_noise = any(metric.noise is not None for metric in shown)
    heads = [_key(place, name) for place, name in enumerate(others)]
    head = "".join(f'<th class="number">{name}</th>' for name in [*heads, FLOOR, *(["Noise floor"] * with_noise)])
    rows = []
    for metric in shown:
        cells = [_number(metric.values.get(name)) for name in others] + [_floor(metric)]
        cells += [_number(metric.noise)] * with_noise
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        name = f"<b>{html.escape(metric.id)}</b> {ARROWS[metric.direction]}"
        name += f"<br><small>{html.escape(metric.summary)}</small>"
        rows.append(f'<tr><td>{name}</td>{numbers}<td class="scale">{_scale(metric, others)}</td></tr>')
    head = f"<tr><th>Metric</th>{head}<th>{unseen('On a scale')}</th></tr>"
    return wide(f"<table>{head}{''.join(rows)}</table>", "Values of each metric")


def _key(place: int, name: str) -> str:
    colour = COLOURS[place % len(COLOURS)]
    return f'<span class="key" style="background: {colour}"></span> {html.escape(name)}'


def _number(value: float | None) -> str:
    """A value in at most three decimals, without a sign where it is nothing.

    >>> _number(-0.0001), _number(0.25), _number(None)
    ('0.000', '0.250', '–')
    """
    return "–" if value is None else f"{round(value, 3) + 0:.3f}"


def _floor(metric: MetricValues) -> str:
    if metric.floor is None:
        return "–"
    low, high = min(metric.floor.draws), max(metric.floor.draws)
    return f"{_number(metric.floor.mean)} <small>{_number(low)} to {_number(high)}</small>"


def _scale(metric: MetricValues, names: Sequence[str]) -> str:
    """Values as dots, the floor's draws as a band, on a scale from the least to the largest of them all."""
    dots = [(place, value) for place, name in enumerate(names) if (value := metric.values.get(name)) is not None]
    draws = metric.floor.draws if metric.floor else ()
    ends = [*(value for _, value in dots), *draws]
    if not ends or min(ends) == max(ends):
        return ""
    low, span = min(ends), max(ends) - min(ends)

    def at(value: float) -> float:
        return 8 + (WIDTH - 16) * (value - low) / span

    shapes = ""
    if draws:
        left, right = at(min(draws)), at(max(draws))
        shapes = (
            f'<rect x="{left - 2:.1f}" y="2" width="{right - left + 4:.1f}" height="14" rx="3" fill="currentColor" '
            'opacity=".22"/>'
        )
    shapes += "".join(
        f'<circle cx="{at(value):.1f}" cy="9" r="4.5" fill="{COLOURS[place % len(COLOURS)]}"/>' for place, value in dots
    )
    said = ", ".join(f"{names[place]} {_number(value)}" for place, value in dots)
    said += f", {FLOOR} {_number(min(draws))} to {_number(max(draws))}" if draws else ""
    label = html.escape(f"{metric.id}: {said}")
    return f'<svg width="{WIDTH}" height="18" role="img" aria-label="{label}">{shapes}</svg>'
