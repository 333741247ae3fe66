"""The floors of the house, at the level of files: an import goes only downwards, and no files import in a circle."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from earwitness import tracks

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "benchmark" / "earwitness"
FLOORS = [
    {
        "atomic",
        "commits",
        "version",
        "errors",
        "extras",
        "pace",
        "parameters",
        "plugins",
        "private",
        "seeds",
        "stand_ins",
        "closure",
        "identity",
        "tracks",
        "results",
        "metrics",
        "stats",
        "explaining",
    },
    {"models", "worlds", "datasets", "judges"},
    {
        "task",
        "handed_in",
        "held_out",
        "submission",
        "submission_card",
        "citing",
        "hub",
        "registry",
        "shelf",
        "own_model",
        "own_input",
        "precision",
    },
    {"scoring", "exhibits", "box", "harness"},
    {"board", "gate", "authoring", "explained"},
    {"cli", "api", "pytest_plugin", "pull_requests", "publishing"},
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
SERVING_ALL = ("harness", "board", "gate", "stats", "results", "cli", "box", "own_input", "explained")
"""Parts that serve every track alike and name none."""


def module_file(module: str, package: Path = PACKAGE) -> Path | None:
    """File of a module of the library."""
    path = package.joinpath(*module.split(".")[1:])
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def imported(source: str) -> Iterator[tuple[str, str | None]]:
    """Modules of the library that a source imports, for use at run time or for types, with the name that is taken."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "earwitness":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith("earwitness."))


def parts(source: str) -> set[str]:
    """Parts of the library that a source imports."""
    found = set()
    for module, name in imported(source):
        inner = module.split(".")[1:]
        found.add(inner[0] if inner else str(name))
    return found - {"__version__"}


@cache
def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_an_import_goes_only_downwards() -> None:
    climbs = [
        f"{path.relative_to(PACKAGE)} climbs to {name}"
        for path, source in sources().items()
        if path != PACKAGE / "__init__.py"
        for name in sorted(parts(source))
        if FLOOR[name] > FLOOR[part(path)]
    ]
    assert not climbs, climbs


def edges(package: Path) -> dict[Path, set[Path]]:
    """Files that each file imports, types included."""
    graph: dict[Path, set[Path]] = {}
    for path in package.rglob("*.py"):
        targets = [
            (name and module_file(f"{module}.{name}", package)) or module_file(module, package)
            for module, name in imported(path.read_text(encoding="utf-8"))
        ]
        graph[path] = {target for target in targets if target is not None} - {path}
    return graph


def circles(graph: dict[Path, set[Path]]) -> list[list[str]]:
    """Sets of files that reach each other, by names."""
    reached = {path: reach(graph, path) for path in graph}
    found = {
        frozenset(other for other in reached[path] if path in reached[other]) for path in graph if path in reached[path]
    }
    return sorted(sorted(path.name for path in one) for one in found)


def reach(graph: dict[Path, set[Path]], start: Path) -> set[Path]:
    seen: set[Path] = set()
    queue = list(graph[start])
    while queue:
        path = queue.pop()
        if path not in seen:
            seen.add(path)
            queue += graph.get(path, set())
    return seen


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(edges(PACKAGE)) == []


def test_a_planted_circle_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from earwitness.b import x\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from earwitness import c\n")
    (tmp_path / "c.py").write_text("def f():\n    import earwitness.a\n")
    (tmp_path / "d.py").write_text("import earwitness.a\n")
    assert circles(edges(tmp_path)) == [["a.py", "b.py", "c.py"]]


def test_a_planted_climb_is_seen() -> None:
    planted = (
        "from earwitness.board import build\nfrom earwitness import seeds\nimport earwitness.scoring.prompt.scoring\n"
    )
    assert parts(planted) == {"board", "seeds", "scoring"}


def test_the_board_and_the_gate_know_results_stats_and_cards_alone() -> None:
    below = {name for name in FLOOR if FLOOR[name] < FLOOR["board"]}
    forbidden = below - {
        "atomic",
        "results",
        "stats",
        "metrics",
        "errors",
        "identity",
        "registry",
        "task",
        "submission",
        "submission_card",
        "citing",
    }
    for path, source in sources().items():
        if part(path) in {"board", "gate"}:
            assert not parts(source) & forbidden, path


def test_stats_know_neither_torch_nor_tracks() -> None:
    for path, source in sources().items():
        if part(path) == "stats":
            assert parts(source) <= {"stats", "version", "errors", "seeds"}, path
            assert not re.search(r"^\s*(import|from) torch", source, re.MULTILINE), path


def test_nothing_that_explains_or_scores_imports_authoring() -> None:
    allowed = {"authoring", "cli"}
    assert {part(path) for path, source in sources().items() if "authoring" in parts(source)} <= allowed


def names_of_tracks(source: str, names: list[str]) -> set[str]:
    """Tracks that a source names: in an import, or as a text of its own."""
    modules = {piece for module, name in imported(source) for piece in (*module.split("."), name)}
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return {name for name in names if name in modules or name in texts}


def test_what_serves_every_track_names_none() -> None:
    screens = [path for path in (ROOT / "leaderboard").rglob("*.py") if path.parent.name != "views"]
    files = [path for path in sources() if part(path) in SERVING_ALL] + screens
    assert screens
    for path in files:
        found = names_of_tracks(path.read_text(encoding="utf-8"), tracks.names())
        assert not found, f"{path.relative_to(ROOT)} names {sorted(found)}"


@pytest.mark.parametrize("name", tracks.names())
def test_a_planted_name_of_a_track_is_seen(name: str) -> None:
    assert names_of_tracks(f"from earwitness.tracks.{name} import X\n", tracks.names()) == {name}
    assert names_of_tracks(f"from earwitness.scoring import {name}\n", tracks.names()) == {name}
    assert names_of_tracks(f'if track == "{name}":\n    pass\n', tracks.names()) == {name}


def test_submissions_import_only_their_tracks_file_and_what_explainers_share() -> None:
    files = sorted((ROOT / "submissions").glob("*/*.py"))
    assert files
    for path in files:
        assert parts(path.read_text(encoding="utf-8")) <= {"tracks", "explaining", "errors", "extras"}, path
