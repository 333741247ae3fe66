"""Packages that Earwitness knows nothing of: run, ranked and checked by the command line; and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugged import earwitness, install, install_elsewhere, python

TASK, OWN = "elsewhere_captions", "elsewhere_loo"


def test_a_package_of_somebody_elses_is_run_and_ranked(tmp_path: Path) -> None:
    path = install_elsewhere(tmp_path / "site")
    words = ["--task", TASK, "--submission", f"{OWN},random", "--items", "2", "--device", "cpu", "--out", "runs"]
    ran = earwitness(path, tmp_path, "run", *words)
    assert ran.returncode == 0, ran.stderr
    board = earwitness(path, tmp_path, "board", "--runs", "runs", "--out", "board")
    assert board.returncode == 0, board.stderr
    assert OWN in board.stdout
    assert "random (floor)" in board.stdout
    assert "elsewhere_shift@top30" in board.stdout
    assert "plug-in" not in ran.stderr + board.stderr


def test_it_is_ranked_from_python_too(tmp_path: Path) -> None:
    code = (
        "import earwitness\n"
        f"mine = earwitness.evaluate({OWN!r}, {TASK!r}, items=2)\n"
        f"floor = earwitness.evaluate('random', {TASK!r}, items=2)\n"
        "found = (mine + floor).ranking()\n"
        "print(sorted(found['submission']), 'elsewhere_shift@top30' in found.columns)\n"
    )
    ran = python(install_elsewhere(tmp_path / "site"), tmp_path, "-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == f"{sorted([OWN, 'random'])} True"


@pytest.mark.parametrize("name", ["elsewhere_shift", "elsewhere_captions --kind dataset", "elsewhere_judge"])
def test_its_parts_are_checked_by_name(tmp_path: Path, name: str) -> None:
    answer = earwitness(install_elsewhere(tmp_path / "site"), tmp_path, "validate", *name.split(), "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["valid"]


def test_a_name_of_two_kinds_is_refused(tmp_path: Path) -> None:
    answer = earwitness(install_elsewhere(tmp_path / "site"), tmp_path, "validate", TASK)
    assert answer.returncode == 2
    assert f"{TASK} is registered as a task and as a dataset; name one by --kind" in answer.stderr


def test_a_broken_plug_in_is_one_line_and_hides_nothing_else(tmp_path: Path) -> None:
    site = tmp_path / "site"
    path = install_elsewhere(site)
    install(site, "broken", {"earwitness.submissions": {"broken": "broken_package"}})
    (site / "broken_package.py").write_text("raise RuntimeError('no\\nfont')")
    answer = earwitness(path, tmp_path, "submissions")
    assert answer.returncode == 0, answer.stderr
    assert OWN in answer.stdout
    assert "occlusion" in answer.stdout
    assert answer.stderr.splitlines() == [
        "earwitness: plug-in 'broken' of earwitness.submissions (broken_package) cannot be imported: "
        "RuntimeError: no font"
    ]


def test_two_of_one_name_are_one_line_that_names_both(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("one", "two"):
        install(site, name, {"earwitness.judges": {"heard": f"{name}:load"}})
        (site / f"{name}.py").write_text("def load(source, revision, device): ...\n")
    answer = earwitness(str(site), tmp_path, "validate", "heard", "--kind", "judge")
    assert answer.returncode == 2
    said = "plug-in 'heard' of earwitness.judges is plugged in by one:load and by two:load; uninstall all but one"
    assert answer.stderr.count(said) == 1, answer.stderr


def test_a_factory_that_returns_something_else_is_named_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("def load(source: str, revision: str = '', device: str = ''):\n    return 7\n")
    answer = earwitness(str(tmp_path), tmp_path, "validate", "odd:load", "--kind", "judge")
    assert answer.returncode == 1, answer.stderr
    assert "  wrong: int has no labels (`earwitness.judges.Judge`)" in answer.stdout.splitlines()
    assert "invalid: judge odd:load" in answer.stdout
