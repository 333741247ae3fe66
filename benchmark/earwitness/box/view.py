"""What a box can see: an interpreter, the public part of the library, one model, one submission. By paths, read-only.

Not in sight are scoring, judges, worlds, datasets and authoring of the library, tasks with their truth, other runs and
submissions, and whatever else its user has.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness import plugins
from earwitness.explaining.checkpoints import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.box import Brief

SEEN = ("tracks", "models", "explaining", "box", "results", "metrics", "__pycache__")
"""Folders of the library that code in a box may read, beside the modules that lie in none."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives")
PROCESSORS = "/sys/devices/system/cpu"
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm/overcommit_memory")
GPUS = ("nvidia*", "nvidia-caps/*", "kfd", "dri/*")
"""Device files that computing on a GPU opens."""
OF_GPUS = ("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "LD_LIBRARY_PATH", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Environment variables that computing on a GPU reads."""


@dataclass(frozen=True)
class View:
    """Paths in sight."""

    trees: tuple[Path, ...]
    """Folders of the system and of the interpreter, readable but for `hidden`."""
    hidden: tuple[Path, ...]
    """Folders below those that are not in sight."""
    parts: tuple[Path, ...]
    """Files and folders that are in sight whatever hides them: the library's public part, model, submission."""
    python_path: tuple[Path, ...]
    """Folders that imports look in beside the interpreter's own."""
    gpus: tuple[Path, ...]

    def readable(self) -> tuple[list[Path], list[Path]]:
        """Paths that may be read with all that lies below, and folders whose names alone may be listed."""
        readable, listable = list(self.parts), [*self.python_path]
        for tree in self.trees:
            _around(tree, self.hidden, readable, listable)
        return readable, listable


def bare_view() -> View:
    """What the interpreter needs, and the box's own folder."""
    return View(_trees(), _hidden(), (plugins.PACKAGE / "box",), (), ())


def _hidden() -> tuple[Path, ...]:
    """The library, and the copy of tasks and submissions that an editable install leaves beside installed packages."""
    copies = [Path(sysconfig.get_path(name), plugins.PACKAGE.name) for name in ("purelib", "platlib")]
    return tuple(dict.fromkeys((plugins.PACKAGE, *(path for path in copies if path.exists()))))


def _trees() -> tuple[Path, ...]:
    own = _outermost([*map(Path, (sys.prefix, sys.base_prefix)), *_of_executable()])
    return (*(Path(path) for path in SYSTEM if os.path.lexists(path)), *own)


def view_of(brief: Brief, gpu: bool = False) -> View:
    """What the box of a brief can see."""
    library = [*sorted(plugins.PACKAGE.glob("*.py")), *(plugins.PACKAGE / name for name in SEEN)]
    packages = list(_packages(brief))
    folders = [Path(brief.submission).resolve(), *_sources(brief), *packages]
    python_path = [plugins.PACKAGE.parent, *(path.parent for path in packages)]
    return View(
        trees=_trees(),
        hidden=_hidden(),
        parts=tuple(path for path in [*library, *folders, *map(Path, SYSTEM_FILES)] if path.exists()),
        python_path=tuple(dict.fromkeys(python_path)),
        gpus=tuple(path for pattern in GPUS for path in sorted(Path("/dev").glob(pattern))) if gpu else (),
    )


def environment(view: View, home: str, scratch: str) -> dict[str, str]:
    """All environment variables of a box; `home` is a folder that it may write to, and `scratch` another, or empty."""
    of_gpus = {name: os.environ[name] for name in OF_GPUS if name in os.environ} if view.gpus else {}
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "USER": "nobody",
        "LOGNAME": "nobody",
        **dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"), home),
        SCRATCH: scratch,
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONPATH": os.pathsep.join(map(str, view.python_path)),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(_hub()),
        **of_gpus,
    }


def _around(tree: Path, hidden: tuple[Path, ...], readable: list[Path], listable: list[Path]) -> None:
    """Take a tree but for what is hidden below it."""
    if not any(path.is_relative_to(tree) for path in hidden):
        readable.append(tree)
        return
    if tree in hidden:
        return
    listable.append(tree)
    for path in sorted(tree.iterdir()):
        # A link inside is followed to what is in sight, and must not lead to what is not.
        if not path.is_symlink():
            _around(path, hidden, readable, listable)


def _outermost(paths: list[Path]) -> list[Path]:
    """The folders of which none lies in another; a system's own is not among them."""
    whole = [path for path in dict.fromkeys(paths) if not any(path.is_relative_to(system) for system in SYSTEM)]
    return [path for path in whole if not any(path != other and path.is_relative_to(other) for other in whole)]


def _of_executable() -> Iterator[Path]:
    """Folders that the interpreter's file lies in, link by link: a link into a home leads through it."""
    path = Path(sys.executable)
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / path.readlink()))
        if path.parent.name == "bin":
            yield path.parent.parent


def _packages(brief: Brief) -> Iterator[Path]:
    """Packages outside the interpreter's folders that the brief names, or that plug in what it names."""
    points = [("tracks", brief.track), ("models", brief.adapter)]
    for kind, name in points:
        point = plugins.points(kind).get(name)
        if point is not None and point.dist is not None:
            yield from _outside(Path(str(getattr(point.dist, "_path", ""))))
    modules = [plugins.module_of("models", brief.adapter), _module_of_track(brief.track), *_named(brief)]
    for top in dict.fromkeys(module.partition(".")[0] for module in modules):
        spec = find_spec(top) if top and top != "earwitness" else None
        # A folder without `__init__.py` counts as a package wherever imports look: one's own folder of tasks does.
        if spec is None or spec.origin is None:
            continue
        for place in spec.submodule_search_locations or ([spec.origin] if spec.origin else []):
            yield from _outside(Path(place))


def _module_of_track(name: str) -> str:
    point = plugins.points("tracks").get(name)
    return point.module if point is not None else ""


def _named(brief: Brief) -> list[str]:
    """Modules of installed packages that the submission's card names."""
    from earwitness.submission import read_submission

    card = read_submission(Path(brief.submission)).card.explainers.get(brief.track)
    return [card.explainer.partition(":")[0]] if card is not None and ":" in card.explainer else []


def _outside(path: Path) -> Iterator[Path]:
    if path.name and not any(path.is_relative_to(tree) for tree in (sys.prefix, sys.base_prefix)):
        yield path


def _sources(brief: Brief) -> Iterator[Path]:
    """Folders of the model: that of its source, and of other sources that its parameters name."""
    for source in [brief.source, *(value for value in brief.parameters.values() if isinstance(value, str))]:
        if os.path.exists(source):
            yield Path(source).resolve()
        elif is_hub_id(source):
            yield _hub() / f"models--{source.replace('/', '--')}"


def is_hub_id(source: str) -> bool:
    """Whether a source may be a repository of the hub: an owner and a name.

    >>> is_hub_id("facebook/musicgen-small"), is_hub_id("./model"), is_hub_id("model")
    (True, False, False)
    """
    return source.count("/") == 1 and not source.startswith((".", "/", "~"))


def _hub() -> Path:
    """Folder of the hub's local cache."""
    home = Path(
        os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
