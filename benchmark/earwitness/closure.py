"""The import closure of code: which files a computation runs, lazily or dynamically imported ones included, hashed.

What is read is the source: nothing is imported. Comments and docstrings do not count, nor do imports for types alone.
"""

from __future__ import annotations

import ast
import hashlib
import io
import os
import tokenize
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from earwitness.plugins import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OWN = "earwitness"
"""Top-level package of the library. Its own file, the library's face, is in no closure: it computes nothing."""
DOORS = frozenset(
    f"{OWN}.{name}"
    for name in (
        *("tracks", "metrics", "plugins", "authoring", "scoring"),
        *("box", "harness.engines", "authoring.tried", "scoring.sanity"),
    )
)
"""Modules that import by a name which a card gives. What the card names is a root of the closure itself."""
UNSEEN = (f"{OWN}.exhibits",)
"""Packages that are not followed: what people see and hear changes no explanation and no row."""
SETTLED = 2 * 10**9
"""Nanoseconds after which a folder's time of change tells any later change: some disks count in twos of seconds."""
Root = str | tuple[str, Path]
"""A module by its dotted name, or a file with a name for it."""
IMPORTERS = {"import_module", "__import__"}


def code_hash(roots: Iterable[Root], without: tuple[str, ...] = ()) -> str:
    """SHA-256 over the closure of modules, by dotted name, and of named files: names and sources without comments and
    docstrings, 16 hex digits.

    `without` names packages that are not followed. A root that does not exist raises ModuleNotFoundError.
    """
    digest = hashlib.sha256()
    for name, path in sorted(closure(roots, without).items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(_stripped_file(path, _stamp(path)).encode()).digest())
    return digest.hexdigest()[:16]


def closure(roots: Iterable[Root], without: tuple[str, ...] = ()) -> dict[str, Path]:
    """Files of the closure by module name, a root that is a file by the name that is given with it.

    Followed are modules of the library, of packages that plug into it by entry points and of those that a root lies
    in; other packages go by their versions. Raises ModuleNotFoundError for a root that is none.
    """
    found: dict[str, Path] = {}
    queue: list[tuple[str, Path]] = []
    roots = list(roots)
    own = frozenset(root.partition(".")[0] for root in roots if isinstance(root, str))
    for root in roots:
        name, path = root if isinstance(root, tuple) else (root, locate(root, own))
        if path is None:
            raise ModuleNotFoundError(f"no module is called {name}", name=name)
        queue.append((name, path))
    skipped = (*UNSEEN, *without)
    asked: set[str] = set()
    while queue:
        name, path = queue.pop()
        if name in found or name == OWN or any(name == each or name.startswith(f"{each}.") for each in skipped):
            continue
        found[name] = path
        for other in _imported(name, path, _stamp(path)):
            where = locate(other, own) if other not in asked else None
            asked.add(other)
            if where is not None:
                queue.append((other, where))
    return found


def locate(module: str, own: frozenset[str] = frozenset()) -> Path | None:
    """File of a module of the library or of a plug-in, by dotted name; None where it is another package's or none.

    `own` names top-level packages that are followed beside those.
    """
    top, *rest = module.split(".")
    folder = _package(top) or (_installed(top) if top in own else None)
    if folder is None or folder.is_file():
        return None if rest else folder
    for place in rest[:-1]:
        folder = folder / place
    last = rest[-1] if rest else ""
    # By its real name: on some disks a class `Notes` would be found as a file `notes.py`.
    names = _names(folder)
    candidates = [folder / last / "__init__.py"] if not rest or last in names else []
    candidates += [folder / f"{last}.py"] if f"{last}.py" in names else []
    return next((path for path in candidates if path.is_file()), None)


def is_there(module: str) -> bool:
    """Whether a module, of whatever package, has a source file that identities can hold."""
    return locate(module, frozenset({module.partition(".")[0]})) is not None


def _names(folder: Path) -> frozenset[str]:
    """What lies in a folder; nothing where there is none."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return frozenset()
    # What was put into a folder a moment ago may have left its time as it was.
    return _listed(folder, changed) if time_ns() - changed > SETTLED else frozenset(os.listdir(folder))


@lru_cache(maxsize=4096)
def _listed(folder: Path, changed: int) -> frozenset[str]:
    return frozenset(os.listdir(folder))


def stripped(source: str) -> str:
    """A source without comments, imports for types alone, docstrings and other strings that stand alone, and without
    the lines left blank.

    >>> stripped('def f(x):\\n    "Doc."  # why\\n\\n    return x  # what\\n')
    'def f(x):\\n    return x'
    """
    tree = ast.parse(source)
    # Not splitlines: a form feed or a line separator inside a text ends no line of the parser's.
    lines = [line.encode() for line in source.split("\n")]
    kept_whole: set[int] = set()
    gone: list[tuple[int, int, int, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.If) and _runs_nothing(node):
            gone.append(_span(node))
        elif isinstance(node, ast.Constant | ast.JoinedStr) and getattr(node, "end_lineno", None) is not None:
            # Blank lines and trailing spaces inside a text are part of it.
            first, _, last, _ = _span(node)
            kept_whole |= set(range(first, last))
    kept_whole -= {line for first, _, last, _ in gone for line in range(first, last)}
    for start, column in _comments(source):
        end = len(lines[start - 1])
        gone.append((start, len(lines[start - 1].decode()[:column].encode()), start, end))
    for first, start, last, end in gone:
        for number in range(first, last + 1):
            line = lines[number - 1]
            left, right = (start if number == first else 0), (end if number == last else len(line))
            lines[number - 1] = line[:left] + b" " * (right - left) + line[right:]
    texts = [line.decode() if at in kept_whole else line.decode().rstrip() for at, line in enumerate(lines, 1)]
    return "\n".join(text for at, text in enumerate(texts, 1) if text or at in kept_whole)


def _runs_nothing(node: ast.Expr | ast.If) -> bool:
    """Whether a statement is a text that stands alone, or a branch for type checkers alone."""
    if isinstance(node, ast.If):
        return _for_types(node) and not node.orelse
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _span(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
    """First line, first byte, last line and byte behind the last of a node; lines count from 1."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _comments(source: str) -> Iterator[tuple[int, int]]:
    """Line and column in characters where each comment starts."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does, so that what was read of it is not read again."""
    known = path.stat()
    return known.st_mtime_ns, known.st_size


@lru_cache(maxsize=4096)
def _stripped_file(path: Path, stamp: tuple[int, int]) -> str:
    source = _read(path)
    try:
        return stripped(source)
    except (SyntaxError, tokenize.TokenError):
        return source


def _read(path: Path) -> str:
    """A source as Python reads it: without a byte order mark, in the encoding that it names."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError):
        return path.read_bytes().decode("latin-1")


@lru_cache(maxsize=4096)
def _imported(name: str, path: Path, stamp: tuple[int, int]) -> tuple[str, ...]:
    """Names of modules that a file imports, wherever in it, with the packages that they lie in."""
    try:
        tree = ast.parse(_read(path))
    except SyntaxError:
        return ()
    importers = IMPORTERS | {
        str(alias.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "importlib"
        for alias in node.names
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = {module for node in _run(tree) for module in _modules(node, name, package, importers)}
    found |= {name, package} if "." in name else set()
    parents = {module.rsplit(".", depth)[0] for module in found for depth in range(1, module.count(".") + 1)}
    return tuple(sorted(found | parents))


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a tree that run; what stands under `if TYPE_CHECKING:` does not."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and _for_types(node):
            children = list(node.orelse)
        stack += children


def _for_types(node: ast.If) -> bool:
    """Whether a branch is for type checkers alone: `if TYPE_CHECKING:`."""
    return ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _modules(node: ast.AST, name: str, package: str, importers: set[str]) -> Iterator[str]:
    """Modules that a node imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and _callee(node) in importers and node.args and name not in DOORS:
        yield from _dynamic(node.args[0], name, package)


def _callee(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _dynamic(argument: ast.expr, name: str, package: str) -> Iterator[str]:
    """Modules that a dynamic import can mean: the one that it names, or all of the package that its name begins with.

    Where nothing of the name is known, all of the module's own top-level package, unless that is the library.
    """
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
        return
    start = argument.values[0] if isinstance(argument, ast.JoinedStr) and argument.values else argument
    if isinstance(start, ast.BinOp):
        start = start.left
    text = ""
    if isinstance(start, ast.Constant) and isinstance(start.value, str):
        text = start.value.rpartition(".")[0]
    elif isinstance(start, ast.FormattedValue) and ast.unparse(start.value) == "__name__":
        text = name
    elif isinstance(start, ast.FormattedValue) and ast.unparse(start.value) == "__package__":
        text = package
    top = name.partition(".")[0]
    if text or top != OWN:
        yield from _all_of(text or top)


def _all_of(package: str) -> Iterator[str]:
    where = locate(package)
    if where is None or where.name != "__init__.py":
        return
    for path in sorted(where.parent.rglob("*.py")):
        parts = path.relative_to(where.parent).with_suffix("").parts
        yield ".".join([package, *(part for part in parts if part != "__init__")])


@lru_cache(maxsize=64)
def _package(top: str) -> Path | None:
    """Folder (or file) of a top-level package that is followed; None of others."""
    if top == OWN:
        return Path(__file__).resolve().parent
    return _installed(top) if top in _plug_ins() else None


@lru_cache(maxsize=64)
def _installed(top: str) -> Path | None:
    """Folder of a top-level package, or file of a module that is none; None where there is none of source."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    path = Path(spec.origin).resolve()
    return path.parent if spec.submodule_search_locations else path


@lru_cache(maxsize=1)
def _plug_ins() -> frozenset[str]:
    """Top-level packages that plug into the library by an entry point."""
    points = [point for kind in KINDS for point in entry_points(group=f"{OWN}.{kind}")]
    return frozenset(point.value.partition(":")[0].partition(".")[0] for point in points) - {OWN}
