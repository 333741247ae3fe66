"""The secret of private tasks: who lacks it is told so, and no submission sees it."""

from __future__ import annotations

import hashlib

import pytest

from earwitness.errors import EarwitnessError
from earwitness.private import SECRET, fingerprint, seed_of

KEPT = "correct horse battery staple"


def test_a_fingerprint_is_the_scrypt_of_the_secret_and_tells_secrets_apart() -> None:
    stretched = hashlib.scrypt(KEPT.encode(), salt=b"earwitness private task", n=16384, r=8, p=1, dklen=16)
    assert fingerprint(KEPT) == stretched.hex()
    assert fingerprint(KEPT) != fingerprint(KEPT + ".")


def test_a_short_secret_is_none() -> None:
    with pytest.raises(EarwitnessError, match="6 characters is guessed"):
        fingerprint("secret")


def test_the_secret_of_the_fingerprint_gives_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEPT)
    first = seed_of(fingerprint(KEPT))
    monkeypatch.setenv(SECRET, KEPT + ".")
    assert seed_of(fingerprint(KEPT + ".")) != first


def test_who_has_no_secret_or_another_one_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    known = fingerprint(KEPT)
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(EarwitnessError, match=f"private: only who has its secret, in {SECRET}"):
        seed_of(known)
    monkeypatch.setenv(SECRET, "another secret, long enough")
    with pytest.raises(EarwitnessError, match=f"not {known}") as told:
        seed_of(known)
    assert "another secret" not in str(told.value)
    assert "\n" not in str(told.value)
