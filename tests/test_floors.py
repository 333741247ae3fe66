"""The floors of the house: an import goes only downwards."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "benchmark" / "earwitness"
FLOORS = [
    {"errors", "seeds", "tracks", "results", "metrics", "stats", "explaining"},
    {"models", "worlds", "datasets", "judges"},
    {"task", "submission", "shelf"},
    {"scoring", "box", "harness"},
    {"board", "gate", "authoring"},
    {"cli", "pytest_plugin"},
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> set[str]:
    """Parts of earwitness that a file imports for use at run time or for types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "earwitness":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("earwitness.")}
    return found - {"__version__"}


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_an_import_goes_only_downwards(path: Path) -> None:
    climbed = {name for name in imports(path) if FLOOR[name] > FLOOR[part(path)]}
    assert not climbed, f"{path.relative_to(PACKAGE)} climbs to {sorted(climbed)}"


def test_a_planted_climb_is_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "from earwitness.board import build\nfrom earwitness import seeds\nimport earwitness.scoring.prompt.scoring\n"
    )
    assert imports(planted) == {"board", "seeds", "scoring"}


def test_the_board_knows_rows_and_stats_and_cards_alone() -> None:
    below = {name for name in FLOOR if FLOOR[name] < FLOOR["board"]}
    forbidden = below - {"results", "stats", "metrics", "errors", "shelf", "task", "submission"}
    for path in (p for p in sources() if part(p) in {"board", "gate"}):
        assert not imports(path) & forbidden, path


def test_stats_know_neither_torch_nor_tracks() -> None:
    for path in (p for p in sources() if part(p) == "stats"):
        assert imports(path) <= {"stats", "errors", "seeds"}, path
        assert not re.search(r"^\s*(import|from) torch", path.read_text(encoding="utf-8"), re.MULTILINE), path


@pytest.mark.parametrize("name", ["harness", "board", "stats", "cli"])
def test_what_serves_every_track_names_none(name: str) -> None:
    files = [path for path in sources() if part(path) == name]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "tracks.prompt" not in text, path
        assert "scoring.prompt" not in text, path


def test_submissions_import_only_their_tracks_file_and_what_explainers_share() -> None:
    files = sorted((ROOT / "submissions").glob("*/*.py"))
    assert files
    for path in files:
        assert imports(path) <= {"tracks", "explaining", "errors"}, path
