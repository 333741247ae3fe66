"""Confine this process, then become the command that the configuration names: `confine.py DESCRIPTOR`.

Run as a file, without the library and without site-packages: nothing but the standard library is trusted here. The
configuration is JSON, read from the descriptor until its end:

    command, environment    what to become
    parent                  process to end with; 0 where something else sees to that
    limits                  resource limits by name: {"AS": 8589934592}
    threads                 threads that this user may have where this process is; none where a group counts them
    capabilities            "none" to give up what root may do
    filter                  seccomp program, base64; empty for none
    readable, listable, writable, devices    paths for Landlock; without `readable` files are not restricted

Source: landlock(7), seccomp(2), capabilities(7), and the kernel's `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import resource
import sys
from contextlib import suppress

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Landlock's calls, equal on every architecture."""
LEAST_ABI = 6
"""Of Landlock: the first that keeps signals and abstract sockets inside (Linux 6.12)."""
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, DEVICE_CALLS = 1 << 14, 1 << 15
ALL_FILES = (1 << 16) - 1
MAKE = sum(1 << bit for bit in (4, 5, 7, 8, 13))
"""Remove folders and files, make folders and files, and move them."""
TCP, SCOPES = 0b11, 0b11
"""Bind and connect; abstract sockets and signals."""
NO_NEW_PRIVILEGES, SET_SECCOMP, DROP_BOUND, SET_DEATH_SIGNAL, FILTER = 38, 22, 24, 1, 2
SIGKILL = 9
LIBC = ctypes.CDLL(None, use_errno=True)


class Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class Beneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`, which is packed."""

    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


class FilterProgram(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def main(descriptor: int) -> None:
    """Confine this process and become the command."""
    with os.fdopen(descriptor, "rb") as file:
        config = json.loads(file.read())
    if config.get("parent"):
        # Before anything else: who started this may be gone already.
        _called(LIBC.prctl(SET_DEATH_SIGNAL, SIGKILL, 0, 0, 0), "prctl")
        if os.getppid() != config["parent"]:
            os._exit(1)
    for name, value in config["limits"].items():
        set_limit(getattr(resource, f"RLIMIT_{name}"), value)
    if config.get("threads"):
        set_limit(resource.RLIMIT_NPROC, config["threads"])
    if config.get("capabilities") == "none":
        drop_capabilities()
    _called(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    if config.get("readable"):
        restrict_files(config)
    if config["filter"]:
        restrict_calls(base64.b64decode(config["filter"]))
    os.execve(config["command"][0], config["command"], config["environment"])


def set_limit(kind: int, value: int) -> None:
    """Set a limit, hard and soft; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (least, least))


def drop_capabilities() -> None:
    """Give up what root may do, for this process and for all that it becomes."""
    for number in range(64):
        LIBC.prctl(DROP_BOUND, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    LIBC.capset(header, none)


def restrict_files(config: dict[str, list[str]]) -> None:
    """Let this process reach the given paths and no others, by Landlock; raises OSError where it cannot."""
    abi = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if abi < LEAST_ABI:
        raise OSError(f"Landlock of this kernel is version {max(abi, 0)}; {LEAST_ABI} is needed (Linux 6.12)")
    wanted = Ruleset(ALL_FILES, TCP, SCOPES)
    rules = _called(LIBC.syscall(CREATE_RULESET, ctypes.byref(wanted), ctypes.sizeof(wanted), 0), "landlock")
    reading = EXECUTE | READ_FILE | READ_DIR
    own = {"readable": [f"/proc/{os.getpid()}"]}
    for key, rights in (
        ("readable", reading),
        ("listable", READ_DIR),
        ("writable", reading & ~EXECUTE | WRITE_FILE | TRUNCATE | MAKE),
        ("devices", READ_FILE | WRITE_FILE | DEVICE_CALLS | READ_DIR),
    ):
        for path in [*config.get(key, []), *own.get(key, [])]:
            # What is not there needs no rule.
            with suppress(FileNotFoundError, NotADirectoryError):
                _allow(rules, path, rights)
    _called(LIBC.syscall(RESTRICT_SELF, rules, 0), "landlock")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CALLS
        rule = Beneath(rights, place)
        _called(LIBC.syscall(ADD_RULE, rules, 1, ctypes.byref(rule), 0), f"landlock: {path}")
    finally:
        os.close(place)


def restrict_calls(steps: bytes) -> None:
    """Install a seccomp program for this process and all that it becomes; raises OSError where it cannot."""
    program = FilterProgram(len(steps) // 8, steps)
    _called(LIBC.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0), "seccomp")


def _called(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    main(int(sys.argv[1]))
