"""Which levels are to be had, and what is said where one is not."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earwitness.box import Guard, bwrap, levels, syscalls
from earwitness.box.confined import Confinement
from earwitness.box.view import bare_view
from earwitness.cli.run import isolated
from earwitness.errors import EarwitnessError
from needing import need


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    levels.lacking.cache_clear()
    yield
    levels.lacking.cache_clear()


def lacking(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    monkeypatch.setattr(levels, "lacking", lambda level: f"no {level}" if level in missing else "")


def test_the_strongest_that_is_to_be_had_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing, found in (((), "bwrap"), (("bwrap",), "landlock")):
        lacking(monkeypatch, *missing)
        assert isolated(None) == levels.strongest() == found


def test_where_there_is_none_it_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lacking(monkeypatch, "bwrap", "landlock")
    assert isolated(None) == "process"
    assert (
        "run as plain processes, without isolation. bwrap: no bwrap; landlock: no landlock" in capsys.readouterr().err
    )
    assert isolated("process") == "process"
    assert capsys.readouterr().err == ""


def test_untrusted_code_gets_no_plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isolated(None, untrusted=True) != "process"
    with pytest.raises(EarwitnessError, match="--untrusted: isolation 'process' keeps nothing"):
        isolated("process", untrusted=True)
    lacking(monkeypatch, "bwrap", "landlock")
    with pytest.raises(EarwitnessError, match=r"--untrusted: no isolation is to be had here\. bwrap: no bwrap"):
        isolated(None, untrusted=True)


def test_a_level_that_is_asked_for_and_lacking_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        EarwitnessError, match=r"isolation bwrap is not to be had here: no bwrap is installed; install it"
    ):
        isolated("bwrap")


def test_where_namespaces_are_forbidden_the_sysctl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need("bwrap")

    def refused(level: Any) -> list[str]:
        raise OSError("bwrap: setting up uid map: Permission denied")

    monkeypatch.setattr(levels, "_tried", refused)
    levels.lacking.cache_clear()
    assert "sysctl kernel.apparmor_restrict_unprivileged_userns=0" in levels.lacking("bwrap")


def test_a_level_that_stops_nothing_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    need("landlock")
    levels.lacking.cache_clear()
    monkeypatch.setattr(levels, "_tried", lambda level: ["reads", "connects"])
    assert levels.lacking("landlock") == "what it must stop succeeds inside: reads, connects; report this kernel"


@pytest.mark.parametrize("level", ["bwrap", "landlock"])
def test_a_level_is_had_here(level: str) -> None:
    need(level)
    assert levels.lacking(level) == ""


def test_an_interpreter_below_the_temporary_folder_is_in_sight() -> None:
    """As that of a checkout that lies there."""
    need("bwrap")
    view = replace(bare_view(), trees=(*bare_view().trees, Path(tempfile.gettempdir(), "checkout", ".venv")))
    confinement = Confinement(view, Guard(1.0, 0), Path("/nowhere"), None)
    words = bwrap.LEVEL.wrapped(confinement, [])
    assert words.index(bwrap.HOME) < words.index(str(view.trees[-1]))


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_the_filter_of_an_architecture_is_a_program_whose_jumps_stay_inside(machine: str) -> None:
    program = syscalls.program(machine)
    steps = [program[start : start + 8] for start in range(0, len(program), 8)]
    assert 100 < len(steps) < 4096
    for place, step in enumerate(steps):
        code, if_true, if_false = int.from_bytes(step[:2], "little"), step[2], step[3]
        if code & 0x07 == 0x05:
            assert place + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1] == syscalls._step(0x06, 0x7FFF0000)


def test_the_numbers_of_calls_are_the_kernels() -> None:
    """Against the C library's headers, where they are installed."""
    headers = {"x86_64": "#include <asm/unistd_64.h>", "aarch64": "#include <asm-generic/unistd.h>"}
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    for which, (machine, header) in enumerate(headers.items()):
        command = [compiler, "-E", "-dM", "-"]
        ended = subprocess.run(command, input=header, capture_output=True, text=True, check=False)
        if ended.returncode:
            pytest.skip(f"needs the kernel's headers of {machine}")
        lines = [line.split() for line in ended.stdout.splitlines()]
        known = {line[1].removeprefix("__NR_"): line[2] for line in lines if len(line) == 3 and "__NR_" in line[1]}
        named = {**syscalls.DENIED, **syscalls.ABSENT, **syscalls.OF_OTHERS, **syscalls.OPENED}
        for name, numbers in named.items():
            if known.get(name, "").isdigit() and numbers[which] is not None:
                assert int(known[name]) == numbers[which], (machine, name)


@pytest.mark.parametrize(("failures", "there"), [(1, True), (2, False)])
def test_a_trial_that_fails_once_is_made_again(monkeypatch: pytest.MonkeyPatch, failures: int, there: bool) -> None:
    tried: list[int] = []

    def busy(level: object) -> list[str]:
        tried.append(1)
        if len(tried) <= failures:
            raise OSError("it took too long")
        return []

    monkeypatch.setattr(levels, "_tried", busy)
    monkeypatch.setattr("shutil.which", lambda name: name)
    levels.lacking.cache_clear()
    assert (levels.lacking("bwrap") == "") is there
    assert len(tried) == 2
