"""Files of one's own that a module's file imports: read, not run, so that a helper's change is seen."""

from __future__ import annotations

import ast
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.plugins import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALLED = tuple(str(Path(sysconfig.get_paths()[name]).resolve()) for name in ("purelib", "platlib", "stdlib"))


def is_installed(path: Path) -> bool:
    """Whether a file is one of the interpreter's own, or of a package that was installed."""
    return str(path.resolve()).startswith(INSTALLED)


def own_files(name: str, path: Path) -> dict[str, Path]:
    """Files by dotted name that a module's file imports, and those that they import, the module's own left out.

    Followed are imports wherever in a file, of modules that lie under the folder in which the module's top-level
    package lies, or beside a module that lies in none; what is installed and the library itself are not.
    """
    root = _root(name, path)
    found: dict[str, Path] = {}
    queue = [(name, path.resolve())]
    while queue:
        importer, file = queue.pop()
        for other in _imports(importer, file, file.stat().st_mtime_ns, file.stat().st_size):
            where = _located(root, other)
            if where is not None and other not in found and where != path.resolve():
                found[other] = where
                queue.append((other, where))
    return dict(sorted(found.items()))


def _root(name: str, path: Path) -> Path:
    """The folder that a module's top-level package, or a module of no package, lies in."""
    home = path.resolve().parent
    depth = name.count(".") + (path.name == "__init__.py")
    return home.parents[depth - 1] if depth else home


def _located(root: Path, name: str) -> Path | None:
    """File of a module under a folder; None where it is none of one's own."""
    place = root.joinpath(*name.split("."))
    for candidate in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if candidate.is_file():
            inside = candidate.resolve()
            return None if is_installed(inside) or inside.is_relative_to(PACKAGE) else inside
    return None


@lru_cache(maxsize=1024)
def _imports(name: str, path: Path, changed: int, size: int) -> tuple[str, ...]:
    """Names of modules that a file imports, with the packages that they lie in; `changed` and `size` are the file's,
    so that one that was written anew is read again.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = {module for node in ast.walk(tree) for module in _modules(node, package)}
    found |= {module.rsplit(".", depth)[0] for module in found for depth in range(1, module.count(".") + 1)}
    return tuple(sorted(found - {""}))


def _modules(node: ast.AST, package: str) -> Iterator[str]:
    """Modules that a statement imports; of `from a import b` both what may be a module and what may be its package."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
