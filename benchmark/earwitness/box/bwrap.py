"""Isolation by bubblewrap: namespaces of its own for files, processes, users and network, and a seccomp filter."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from earwitness.box.confined import ConfinedBox, Confinement
from earwitness.box.view import PROCESSORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from earwitness.box import Brief, Guard

NOBODY = "65534"
HOME = "/tmp"
TEMPORARY = 256 << 20
"""Bytes of temporary files, which are memory."""
SHARED = 64 << 20
"""Bytes of shared memory."""
SIGNALLED = 128
"""Added to the signal that ended the process inside, in bwrap's exit code."""


class Bubblewrap:
    """Namespaces of its own for one process."""

    name = "bwrap"

    def wrapped(self, confinement: Confinement, command: Sequence[str]) -> list[str]:
        """The command that runs another one in namespaces of its own."""
        view = confinement.view
        program = shutil.which("bwrap") or "bwrap"
        flags = [
            *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY),
            *("--hostname", "box", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--chdir", "/"),
        ]
        mounts = ["--proc", "/proc", "--dev", "/dev", "--size", str(SHARED), "--tmpfs", "/dev/shm"]
        # Mounts hide what lies below: what is in sight of a temporary folder comes after it.
        mounts += ["--size", str(TEMPORARY), "--tmpfs", HOME, "--ro-bind-try", PROCESSORS, PROCESSORS]
        for tree in view.trees:
            if tree.is_symlink():
                mounts += ["--symlink", os.readlink(tree), str(tree)]
            else:
                mounts += ["--ro-bind", str(tree), str(tree)]
        covered = [path for path in view.hidden if any(path.is_relative_to(tree) for tree in view.trees)]
        for path in covered:
            mounts += ["--tmpfs", str(path)]
        for path in view.parts:
            mounts += ["--ro-bind", str(path), str(path)]
        for path in view.gpus:
            mounts += ["--dev-bind", str(path), str(path)]
        if confinement.scratch is not None:
            mounts += ["--bind", str(confinement.scratch), str(confinement.scratch)]
        for place in [*map(str, covered), "/dev", "/proc", "/"]:
            mounts += ["--remount-ro", place]
        return [program, *flags, *mounts, "--", *command]

    def restrictions(self, confinement: Confinement) -> dict[str, Any]:
        """Nothing: what is not mounted is not there."""
        return {}

    def home(self, confinement: Confinement) -> str:
        """The folder for temporary files: memory of the box."""
        return HOME

    def code(self, code: int) -> int:
        """The exit code of the process inside: bwrap adds a number to the signal that ended it."""
        return SIGNALLED - code if code > SIGNALLED else code


LEVEL = Bubblewrap()


def open_box(brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool]) -> ConfinedBox:
    """A closed box."""
    return ConfinedBox(LEVEL, brief, guard, log, stopped)
