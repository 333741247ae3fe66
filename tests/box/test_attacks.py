"""Attacks of a submission: each succeeds in a plain process, or is contained at every level, and none in a box."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attacking
import pytest
from attacking import LOST, SECRET, STOPPED, SUCCEEDS
from needing import need
from ordinary import as_ordinary_user

from earwitness.box import LEVELS

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


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, "secret")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))

        def at(level: str) -> dict[str, str]:
            if level not in found:
                folder = tmp_path_factory.mktemp(level)
                (folder / "prey").mkdir()
                with attacking.prey_in(folder / "prey") as prey:
                    known = attacking._alive()
                    before = prey.state()
                    found[level] = attacking.outcomes(level, folder, prey)
                    if level in CONFINED:
                        assert prey.state() == before
                        assert not attacking.left_behind(known)
            return found[level]

        yield at


def test_there_are_more_than_35_attacks() -> None:
    assert len(set(attacking.names())) == len(attacking.names()) > 35


@pytest.mark.parametrize("name", attacking.names())
def test_an_attack_succeeds_in_a_plain_process(attacked: Callable[[str], dict[str, str]], name: str) -> None:
    outcome = attacked("process")[name]
    if name in CONTAINED:
        assert outcome != SUCCEEDS
    elif name not in UNSURE and os.getuid() == 0:
        assert outcome == SUCCEEDS


@pytest.mark.parametrize("name", attacking.names())
@pytest.mark.parametrize("level", CONFINED)
def test_no_attack_succeeds_in_a_box(attacked: Callable[[str], dict[str, str]], level: str, name: str) -> None:
    need(level)
    assert attacked(level)[name] == SUCCEEDS if name in HARMLESS else attacked(level)[name] in (STOPPED, LOST)


def test_the_table_of_the_docs_is_what_was_found(attacked: Callable[[str], dict[str, str]]) -> None:
    for level in CONFINED:
        need(level)
    found = attacking.table({level: attacked(level) for level in LEVELS}, UNSURE)
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    if os.getuid() == 0:
        assert found in page, f"docs/security.md must hold\n{found}"


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
