"""The secret that private tasks are drawn by: whoever runs a board has it, and cards hold its fingerprint alone."""

from __future__ import annotations

import hashlib
import os

from earwitness.errors import EarwitnessError
from earwitness.seeds import derive

SECRET = "EARWITNESS_SECRET"
"""Environment variable that holds the secret; no submission in a box of bwrap or landlock sees it."""
SHORTEST = 16
"""Characters of a secret, at least: a fingerprint is public, and what is short is guessed."""
_SALT = b"earwitness private task"


def fingerprint(secret: str) -> str:
    """What a card says of a secret: 32 hexadecimal digits of its scrypt (RFC 7914: N 2**14, r 8, p 1).

    Raises EarwitnessError where the secret is too short to be one.
    """
    if len(secret) < SHORTEST:
        raise EarwitnessError(f"a secret of {len(secret)} characters is guessed: take {SHORTEST} or more")
    return hashlib.scrypt(os.fsencode(secret), salt=_SALT, n=2**14, r=8, p=1, dklen=16).hex()


def seed_of(known: str) -> int:
    """The seed, in [0, 2**63), of the secret in the environment whose fingerprint is `known`.

    Raises EarwitnessError where there is no secret in the environment, or another one.
    """
    secret = os.environ.get(SECRET)
    if not secret:
        raise EarwitnessError(f"this task is private: only who has its secret, in {SECRET}, can make its items")
    if fingerprint(secret) != known:
        raise EarwitnessError(f"{SECRET} holds the secret of another task: its fingerprint is not {known}")
    return derive("private world", secret)
