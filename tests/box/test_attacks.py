"""Attacks of a submission: each succeeds in a plain process, or is contained at every level, and none in a box."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import attacking
import pytest
from attacking import LOST, SECRET, STOPPED, SUCCEEDS
from ordinary import as_ordinary_user

from needing import need

CONFINED = ("bwrap", "landlock")
CONTAINED = {
    *("loop", "sleep", "crash", "leave", "flood_reply"),
    *("patch_meter", "flood_log", "wipe_log", "tell_world", "look_up", "reap"),
}
"""Attacks that fail at every level: what they are after lies outside any process of the submission's."""
UNSURE = {"ring", "keep_key", "leave_without_paying"}
"""Attacks that a kernel may refuse everybody, or that win a race or do not."""
HARMLESS = {"nothing", "work_between"}
"""What is no attack alone: `reap` follows `work_between`."""


def attacked(level: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What became of each attack at a level; in a box nothing that they were after has changed, and none is left."""
    monkeypatch.setenv(SECRET, "secret")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (folder / "prey").mkdir()
    with attacking.prey_in(folder / "prey") as prey:
        known, before = attacking._alive(), prey.state()
        found = attacking.outcomes(level, folder, prey)
        if level in CONFINED:
            assert prey.state() == before
            assert not attacking.left_behind(known)
    return found


def test_there_are_more_than_35_attacks_and_the_docs_have_them_all() -> None:
    names = attacking.names()
    assert len(set(names)) == len(names) > 35 + len(HARMLESS)
    assert set(attacking.documented("process")) == set(names) - HARMLESS


def test_attacks_succeed_in_a_plain_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid():
        pytest.skip("some attacks are root's")
    found = attacked("process", tmp_path, monkeypatch)
    succeeded = {name for name, outcome in found.items() if outcome == SUCCEEDS}
    assert succeeded - UNSURE == set(attacking.names()) - CONTAINED - UNSURE
    told = attacking.documented("process")
    assert {name: told[name] for name in UNSURE} == dict.fromkeys(UNSURE, "depends")
    assert {name for name, outcome in told.items() if outcome == SUCCEEDS} == succeeded - UNSURE - HARMLESS


@pytest.mark.parametrize("level", CONFINED)
def test_no_attack_succeeds_in_a_box(level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(level)
    found = attacked(level, tmp_path, monkeypatch)
    assert {name for name, outcome in found.items() if outcome == SUCCEEDS} == HARMLESS
    assert set(found.values()) == {SUCCEEDS, STOPPED, LOST}
    assert set(attacking.documented(level).values()) == {STOPPED}


@pytest.mark.parametrize("level", CONFINED)
def test_no_attack_succeeds_in_a_box_of_an_ordinary_user(level: str) -> None:
    need(level)
    if os.getuid():
        pytest.skip("this is an ordinary user already")
    # Not below pytest's own folder, which it closes to others.
    with tempfile.TemporaryDirectory(prefix="earwitness-ordinary-") as folder:
        command = [sys.executable, str(Path(attacking.__file__)), level, str(Path(folder, "ordinary"))]
        ended = subprocess.run(as_ordinary_user(command, Path(folder)), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    said = json.loads(ended.stdout.splitlines()[-1])
    assert said["user"] != 0
    assert said["unharmed"]
    succeeded = {name for name, outcome in said["outcomes"].items() if outcome == SUCCEEDS}
    assert succeeded == HARMLESS
