"""What people see and hear of a task's first items, as a part of the exported page, with the files beside it."""

from __future__ import annotations

import html
import json
import re
import shutil
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from earwitness.board.line_chart import line_chart
from earwitness.board.redistribution import licence_of, withheld_sounds
from earwitness.board.store import records
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

Record = dict[str, Any]
FILES, SOUND = "exhibits", "sound"
"""Folder beside the page that files are copied to."""
SHOWN = 12
"""Items of a task that are shown."""
MANY = 6
"""Exhibits of one label beyond which they are folded away."""
STYLE = """
section.item { border-top: 1px solid var(--line); padding: .3rem 0 1rem } section.item h3 { margin: .6rem 0 .2rem }
.exhibits { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: end; margin: .3rem 0 }
.exhibits details { width: 100% } .exhibits figure { margin: 0; max-width: 100% }
.exhibits figcaption, .legend, .exhibits summary { font-size: .85rem; opacity: .85 }
.exhibits svg { max-width: 100%; height: auto }
.exhibits svg text { font-size: 11px; fill: currentColor } .exhibits img { min-width: min(38rem, 90vw) }
.exhibits img { max-width: 100%; max-height: 16rem; image-rendering: pixelated; border-radius: 4px; display: block }
"""


def gallery(connection: DuckDBPyConnection, task: Record, entrant: str, board: Path, folder: Path) -> str:
    """The exhibits of a task's first items, their own and what an entrant's explanations left; empty where none is.

    Sounds stand under the licence of the task's card, or are left out where it does not let them be handed on.

    `board` is the folder of the board, `folder` that of the page. Raises EarwitnessError where files cannot be copied.
    """
    query = "SELECT * FROM exhibits WHERE task_key = ? AND entrant IN ('', ?) ORDER BY item, entrant, position"
    by_item: dict[str, list[Record]] = {}
    for exhibit in records(connection, query, task["task_key"], entrant):
        by_item.setdefault(exhibit["item"], []).append(exhibit)
    licence = licence_of(task)
    withheld = withheld_sounds(licence)
    if withheld:
        silent = {item: [e for e in exhibits if e["kind"] != SOUND] for item, exhibits in by_item.items()}
        by_item = {item: exhibits for item, exhibits in silent.items() if exhibits}
    explained = [item for item, exhibits in by_item.items() if any(exhibit["entrant"] for exhibit in exhibits)]
    texts = _texts(connection, task)
    parts = []
    for number, item in enumerate((explained or list(by_item))[:SHOWN]):
        target = folder / FILES / _named(task["task_key"]) / f"{number:02d}-{_named(item)}"
        shown = _item(by_item[item], board, target, folder)
        title = html.escape(": ".join(filter(None, (item, texts.get(item, "")))))
        parts.append(f'<section class="item"><h3>{title}</h3>{shown}</section>' if shown else "")
    body = "".join(parts)
    said = f"Sounds are left out: {withheld}." if withheld else f"Sounds: {licence}." if licence else ""
    note = f"<p><small>{html.escape(said)}</small></p>" if said and (body or withheld) else ""
    return f"<h3>What {html.escape(entrant)} shows of the first items</h3>{note}{body}" if body or note else ""


def _texts(connection: DuckDBPyConnection, task: Record) -> dict[str, str]:
    """What an item says in words, whatever its fields are called: those that are text."""
    inputs = records(connection, "SELECT item, fields FROM inputs WHERE task_key = ?", task["task_key"])
    fields = {row["item"]: json.loads(row["fields"]) for row in inputs}
    return {
        item: " · ".join(dict.fromkeys(value for key, value in own.items() if isinstance(value, str) and key != "id"))
        for item, own in fields.items()
    }


def exhibits_of(found: Sequence[Record], target: Path, folder: Path) -> str:
    """What an item's manifest lists (`manifests.exhibits`) as a part of a page in `folder`; empty where it is nothing.

    Files are copied to `target`, inside of the page's folder. Raises EarwitnessError where they cannot be.
    """
    exhibits = [{**each, "entrant": "", "position": position} for position, each in enumerate(found)]
    return _item(exhibits, folder, target, folder)


def _item(exhibits: Sequence[Record], board: Path, target: Path, folder: Path) -> str:
    """Exhibits of one item: a row of the item's own, and one of the entrant's."""
    rows = []
    for entrant, mine in groupby(exhibits, key=lambda exhibit: str(exhibit["entrant"])):
        cells = []
        for label, same in groupby(mine, key=lambda exhibit: str(exhibit["label"])):
            shown = [figure for exhibit in same if (figure := _figure(exhibit, board, target, folder))]
            inner = "".join(shown)
            if len(shown) > MANY:
                summary = f"<summary>{html.escape(label)} ({len(shown)})</summary>"
                inner = f'<details>{summary}<div class="exhibits">{inner}</div></details>'
            cells.append(inner)
        if any(cells):
            by = f"<small>{html.escape(entrant)}</small>" if entrant else ""
            rows.append(f'{by}<div class="exhibits">{"".join(cells)}</div>')
    return "".join(rows)


def _figure(exhibit: Record, board: Path, target: Path, folder: Path) -> str:
    """One exhibit under its label and part; empty where its file is gone, or is of a kind that cannot be drawn here."""
    source = board / exhibit["path"]
    if not source.is_file():
        return ""
    caption = html.escape(": ".join(filter(None, (exhibit["label"], exhibit["part"]))))
    if exhibit["kind"] == "curve":
        shown = line_chart(_document(source))
    elif exhibit["kind"] in (SOUND, "picture"):
        whose = _named(exhibit["entrant"]) or "item"
        name = "-".join(
            filter(None, (whose, f"{exhibit['position']:02d}", _named(exhibit["label"]), _named(exhibit["part"])))
        )
        address = html.escape(_copied(source, target / f"{name}{source.suffix}", folder))
        player = f'<audio controls preload="none" aria-label="{caption}" src="{address}"></audio>'
        image = f'<img loading="lazy" alt="{caption}" src="{address}">'
        shown = player if exhibit["kind"] == SOUND else image
    else:
        shown = ""
    return f"<figure><figcaption>{caption}</figcaption>{shown}</figure>" if shown else ""


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _named(text: str) -> str:
    """A text as a part of a file's name that people can read.

    >>> _named("../pitch +1 <b>")
    'pitch-+1-b'
    """
    return re.sub(r"[^\w.+-]+", "-", text).strip(".-")[:60]


def _copied(source: Path, target: Path, folder: Path) -> str:
    """Copy a file beside the page and return its address; raises EarwitnessError where it cannot be copied."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise EarwitnessError(f"cannot copy {source} to {target}: {error.strerror or error}") from error
    return quote(target.relative_to(folder).as_posix())
