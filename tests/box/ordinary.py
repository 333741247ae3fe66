"""Running a command as an ordinary user, where the tests are root.

What lies in a home that is closed to others is shown to it in a mount namespace of its own.
"""

import os
import sys
from pathlib import Path

import earwitness

NOBODY = 65534
SCRIPT = """
set -e
mkdir -p "$PLACE/kept"
number=0
for path in $SHOWN; do
    number=$((number + 1)); mkdir -p "$PLACE/kept/$number"
    mount --bind "$path" "$PLACE/kept/$number"
done
for path in $CLOSED; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
number=0
for path in $SHOWN; do
    number=$((number + 1)); mkdir -p "$path"
    mount --move "$PLACE/kept/$number" "$path"
done
exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


def as_ordinary_user(command: list[str], folder: Path) -> list[str]:
    """The command as nobody would give it, who may write to `folder`."""
    checkout = Path(earwitness.__file__).parents[2]
    needed = [Path(sys.base_prefix), Path(sys.prefix), checkout]
    closed = {shut for path in needed if (shut := _closed(path)) is not None}
    shown = [path for path in needed if any(path.is_relative_to(shut) for shut in closed)]
    outermost = [path for path in shown if not any(path != other and path.is_relative_to(other) for other in shown)]
    place = folder / "mounts"
    place.mkdir()
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and len(path.parts) > 2:
            path.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    variables = {
        "PLACE": str(place),
        "SHOWN": " ".join(map(str, outermost)),
        "CLOSED": " ".join(map(str, sorted(closed))),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    given = [f"{name}={value}" for name, value in variables.items()]
    return ["env", "-i", *given, "unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh", *command]


def _closed(path: Path) -> Path | None:
    """The outermost folder above a path that others may not enter; None where they may enter all."""
    return next((each for each in reversed([path, *path.parents]) if not each.stat().st_mode & 0o001), None)
