"""How a process ended, in words."""

from __future__ import annotations

import signal

CRASHES = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bus error",
    signal.SIGABRT: "aborted",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
}


def ending(code: int) -> str:
    """What an exit code says of a process, negative for a signal; only a kill may mean that memory ran out.

    >>> ending(3), ending(-11), ending(-9), ending(-15)
    ('ended with exit code 3', 'crashed (segmentation fault)', 'was killed (out of memory?)', 'was ended by SIGTERM')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"was ended by signal {-code}"
    if number in CRASHES:
        return f"crashed ({CRASHES[number]})"
    return "was killed (out of memory?)" if number is signal.SIGKILL else f"was ended by {number.name}"
