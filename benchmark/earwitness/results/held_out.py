"""Held-out items in a task's hash: their rows bear a mark, and meet no others."""

from __future__ import annotations

from earwitness.results.task_hashes import parted

HELD = "-held"
"""What stands between the hash of a task and the mark of its held-out items."""
PRIVATE = "private"
"""Parameter of datasets by which a whole world is private: the fingerprint of a secret (`earwitness.private`)."""


def marked(task_hash: str, mark: str) -> str:
    """The hash of a task whose items are held out.

    >>> marked("0af3", "9b1c")
    '0af3-held9b1c'
    """
    return f"{task_hash}{HELD}{mark}"


def mark_of(task_hash: str) -> str:
    """The mark of held-out items in a task's hash as rows have it; empty where they are public.

    >>> mark_of("0af3-held9b1c-seed5"), mark_of("0af3-fresh2")
    ('9b1c', '')
    """
    return parted(task_hash).base.partition(HELD)[2]


def public_of(task_hash: str) -> str:
    """Identity of what the task itself explains, of a hash as rows have it.

    >>> public_of("0af3-held9b1c-seed5"), public_of("0af3-fresh2")
    ('0af3', '0af3')
    """
    return parted(task_hash).base.partition(HELD)[0]
