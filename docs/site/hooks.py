"""What `mkdocs build` is told of the site of `make docs`, as hooks of MkDocs.

Its pages are the repository's own Markdown files under their own paths, so that one link serves code host and site.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

ROOT = Path(__file__).parents[2]
WRITTEN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "tasks/*/README.md", "submissions/*/README.md")
"""Pages that somebody wrote, and those of them that `python -m` wrote."""
SHOWN = ("docs/images/*",)
FACE = ("evaluate", "load_task", "load_model", "load_submission", "read_results", "Results")
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s#]+)\)")
LOADED = re.compile(
    r"<(?:script|img|iframe|audio|video|source|embed)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]*"
    r"|<link\b(?![^>]*rel=\"(?:canonical|prev|next)\")[^>]*\bhref=\"(?:https?:)?//[^\"]*"
)
"""What a page would ask another machine for."""


def written() -> list[str]:
    """Paths of the Markdown files that are pages, from the root of the repository."""
    return [path.relative_to(ROOT).as_posix() for some in WRITTEN for path in sorted(ROOT.glob(some))]


def generated() -> dict[str, str]:
    """The pages of the API by path: each names modules and functions, and their docstrings are its text.

    A track is every file of `tracks`, a family of metrics every file of `metrics` that declares one.
    """
    library = ROOT / "benchmark" / "earwitness"
    tracks = sorted(path.stem for path in library.glob("tracks/[!_]*.py"))
    families = [
        path.stem
        for path in sorted(library.glob("metrics/[!_]*.py"))
        if re.search(r"^@metric\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    face = "\n\n".join(_named(f"earwitness.{name}") for name in FACE)
    pages = {f"api/{track}.md": f"# The {track} track\n\n::: earwitness.tracks.{track}\n" for track in tracks}
    return pages | {
        "api/python.md": f"# Python\n\n{face}\n",
        "api/tracks.md": "# What tracks share\n\n::: earwitness.tracks\n",
        "api/metrics.md": "# Metrics, one by one\n\nAll of them in one table: [metrics](../docs/metrics.md).\n\n"
        + "\n\n".join(_named(f"earwitness.metrics.{name}") for name in families)
        + "\n",
    }


def navigation(entries: list[Any]) -> list[Any]:
    """`nav` with each pattern (`submissions/*/README.md`) in the place of a page become the pages that it finds."""
    found: list[Any] = []
    for entry in entries:
        ((title, value),) = entry.items() if isinstance(entry, dict) else (("", entry),)
        if isinstance(value, list):
            found.append({title: navigation(value)})
        elif "*" in value:
            paths = [path for path in written() if Path(path).match(value)]
            found.append({title: [{Path(path).parent.name: path} for path in paths]})
        else:
            found.append(entry)
    return found


def without_links_to_code(text: str, page: str, pages: set[str]) -> str:
    """A page's text whose links to files that are no pages are plain text: the site has no copy of the code.

    Links to what is not there stay, and the build fails on them.
    """

    def plain(link: re.Match[str]) -> str:
        path = normpath(join(dirname(page), link[2]))
        return f"{link[1]} (`{path}`)" if path not in pages and (ROOT / path).exists() else link[0]

    return LINK.sub(plain, text)


def on_config(config: Any) -> Any:
    """Patterns in `nav` become pages; headings are named as the code host names them."""
    from pymdownx.slugs import slugify

    config.nav = navigation(config.nav)
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Any, config: Any) -> Any:
    """The site's files are the repository's, under their own paths, and not `docs` alone."""
    from mkdocs.structure.files import File

    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    shown = [path.relative_to(ROOT).as_posix() for some in SHOWN for path in sorted(ROOT.glob(some))]
    for path in [*written(), *shown, "docs/site/site.css"]:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Links to code become plain text."""
    return without_links_to_code(markdown, page.file.src_uri, {file.src_uri for file in files})


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The build fails where a page would load anything from another machine."""
    from mkdocs.exceptions import PluginError

    if asked := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} would ask another machine: {asked[0]}; ship the file with the site")
    return output


def _named(name: str) -> str:
    """An object under a heading of its own, its last name."""
    return f"::: {name}\n    options:\n      show_root_heading: true\n      show_root_toc_entry: true"
