"""The seccomp filter of a box, as the bytes of a BPF program: what code inside may never ask of the kernel.

A box is one process of as many threads as it likes. No other process, no socket, no namespace, no mount; no file gets
another mode, owner or time; nothing of another process is read, traced, limited or slowed. Calls that this list is
older than do not exist inside. Source: seccomp(2), bpf(2) and the kernel's `include/uapi/linux/{filter,seccomp}.h`.
"""

from __future__ import annotations

import errno
import platform
import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""`AUDIT_ARCH_*` by what `platform.machine()` says."""
LAST = 462
"""`mseal`: the last call that this list knows. Those after it fail as if the kernel were older."""
THREAD = 0x00010000
"""`CLONE_THREAD`."""
CREATE, SET_ID = 0o20000100, 0o6000
"""`O_CREAT` and `O_TMPFILE` (equal on both architectures), by which a mode counts, and its bits that lend rights."""
DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG`: by which a box ends with who started it."""

DENIED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "vfork": (58, None), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88), "futimesat": (261, None),
    "mknod": (133, None), "mknodat": (259, 33), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None), "vhangup": (153, 58),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "migrate_pages": (256, 238), "move_pages": (279, 239), "fanotify_init": (300, 262),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
}  # fmt: skip
"""Numbers by name, on x86_64 and on aarch64, which lacks some."""
ABSENT: dict[str, tuple[int | None, int | None]] = {"clone3": (435, 435), "openat2": (437, 437)}
"""Calls whose arguments lie in memory, where no filter sees them: callers then use the older ones."""
OF_OTHERS: dict[str, tuple[int | None, int | None]] = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}
"""Calls whose first argument may name another process; 0 is the caller."""
CLONE, PRCTL = (56, 220), (157, 167)
OPENED: dict[str, tuple[int | None, int | None]] = {"open": (2, None), "openat": (257, 56)}
CREAT: tuple[int | None, int | None] = (85, None)

_LOAD, _EQUAL, _ABOVE, _ANY, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


def supported() -> bool:
    """Whether there is a filter for this machine's architecture."""
    return platform.machine() in ARCHITECTURES


def program(machine: str = "") -> bytes:
    """The filter for an architecture, this machine's by default; raises KeyError where there is none."""
    machine = machine or platform.machine()
    which = list(ARCHITECTURES).index(machine) if machine in ARCHITECTURES else None
    if which is None:
        raise KeyError(machine)
    parts = [
        _step(_LOAD, _ARCHITECTURE), _step(_EQUAL, ARCHITECTURES[machine], 1, 0), _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER), _step(_ABOVE, LAST, 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS),
    ]  # fmt: skip
    for numbers, failure in ((DENIED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        parts += [
            step
            for both in numbers.values()
            if (number := both[which]) is not None
            for step in (_step(_EQUAL, number, 0, 1), _step(_RETURN, _FAIL | failure))
        ]
    refused = _step(_RETURN, _FAIL | errno.EPERM)
    allowed = _step(_RETURN, _ALLOW)
    # A thread is one that shares the caller's process; anything else would be a second one.
    parts += _when(CLONE[which], [_low(0), _step(_ANY, THREAD, 1, 0), refused, allowed])
    parts += _when(PRCTL[which], [_low(0), _step(_EQUAL, DEATH_SIGNAL, 0, 1), refused, allowed])
    for both in OF_OTHERS.values():
        parts += _when(both[which], [_low(0), _step(_EQUAL, 0, 1, 0), refused, allowed])
    # The flags are the second argument of open and the third of openat, and the mode follows.
    for flags, both in enumerate(OPENED.values(), 1):
        bits = [_low(flags + 1), _step(_ANY, SET_ID, 0, 1), refused, allowed]
        parts += _when(both[which], [_low(flags), _step(_ANY, CREATE, 1, 0), allowed, *bits])
    parts += _when(CREAT[which], [_low(1), _step(_ANY, SET_ID, 0, 1), refused, allowed])
    return b"".join([*parts, allowed])


def _when(number: int | None, then: list[bytes]) -> list[bytes]:
    """Steps that are taken for one call alone, and end the program."""
    return [] if number is None else [_step(_EQUAL, number, 0, len(then)), *then]


def _low(argument: int) -> bytes:
    """Load the low half of an argument; both architectures are little-endian."""
    return _step(_LOAD, _ARGUMENTS + 8 * argument)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
