"""What pages that open from disk are made of: one HTML document without anything from elsewhere."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from pathlib import Path

STYLE = """
:root { color-scheme: light dark; background: Canvas; color: CanvasText }
:root { --line: #8884; --bar: #0d948833; --ink: #0d9488 }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle }
th { font-weight: 600 } details { margin: .6rem 0 } summary { cursor: pointer }
small { opacity: .7 } td small { white-space: nowrap } h2, h3, li { overflow-wrap: anywhere }
tr.control td { opacity: .75 } tr.control small { opacity: 1 }
audio { height: 2rem; width: 14rem }
.unseen { position: absolute; clip-path: inset(50%); width: 1px; height: 1px }
svg { display: block } .says { font-size: 1.08rem; max-width: 60rem } .wide { overflow-x: auto; position: relative }
"""


def wide(inner: str, label: str) -> str:
    """HTML that may be wider than a phone, in a box that scrolls, by keys too, under a label for who hears the page."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(label)}">{inner}</div>'


def unseen(text: str) -> str:
    """HTML of a text for who hears the page: nothing is seen of it."""
    return f'<span class="unseen">{html.escape(text)}</span>'


def write_html(folder: Path, title: str, style: str, body: str) -> Path:
    """Write `index.html` with an HTML body, under a title and a style of its own beside `STYLE`; return its path.

    Raises EarwitnessError where it cannot be written.
    """
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style><body><main>{body}</main></body></html>\n"
    )
    index = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index.write_text(page, encoding="utf-8")
    except OSError as error:
        raise EarwitnessError(f"cannot write {index}: {error.strerror or error}") from error
    return index
