"""Packages that plug in, as an installer would leave them: on the path, their entry points in a `.dist-info` beside."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
ELSEWHERE = ROOT / "tests" / "third_party" / "elsewhere"


def install(site: Path, name: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Write what tells of a package and of its entry points, by group, into a folder of the path."""
    folder = site / f"{name}-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (folder / "entry_points.txt").write_text("\n".join(lines))


def install_elsewhere(site: Path) -> str:
    """Plug in the package of tests/third_party; returns the path that it is found on."""
    project = tomllib.loads((ELSEWHERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(site, project["name"], project["entry-points"])
    return os.pathsep.join([str(site), str(ELSEWHERE / "src")])


def earwitness(path: str, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line with packages on the path."""
    return python(path, cwd, "-m", "earwitness.cli", *words)


def python(path: str, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with packages on the path."""
    before = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, before])), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )
